"""Approvals, waivers, gate results and the audit trail in the console."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from features.ground.console import TRAIN_PAGE, ReadOnlyAdmin, ago, line, link, mono
from features.ground.panels import Code, Facts, Panel
from features.ground.unfold import (
    ChoicesDropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
    badge,
    display,
)
from models_store.admin.panels import pretty, stage_badge
from models_store.models import Approval, AuditCheckpoint, AuditEntry, GateResult, Waiver


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """Approvals."""

    next_command = "manage.py approve REQUEST --reason WHY"
    list_display = ("request", "approver", "approved", "requester", "reason", "created_at")
    list_filter = ("approved", ("created_at", RangeDateTimeFilter))
    list_select_related = ("request__version__model",)
    search_fields = ("approver", "requester", "reason")

    def panels(self, obj: Approval, request: HttpRequest) -> Sequence[Panel]:
        """Show who said what about which request."""
        pairs = [
            ("Word", badge("approved", "success") if obj.approved else badge("rejected", "danger")),
            ("Request", link(obj.request)),
            ("Approver", obj.approver),
            ("Requester", obj.requester),
            ("Why", obj.reason or "–"),
            ("Evidence", mono(obj.evidence_digest, 16)),
            ("When", ago(obj.created_at)),
        ]
        return (Facts(title="Approval", wide=True, pairs=pairs),)


@admin.register(GateResult)
class GateResultAdmin(ReadOnlyAdmin):
    """Gate results."""

    next_command = "manage.py gates MODEL@N"
    next_page = ("Open a model version, then Evaluate gates", "admin:models_store_modelversion_changelist")
    list_display = ("gate", "passed_label", "version", "target_stage", "observed", "threshold", "created_at")
    list_filter = ("passed", ("version__model", RelatedDropdownFilter), ("target_stage", ChoicesDropdownFilter))
    list_select_related = ("version__model",)
    search_fields = ("gate", "version__model__name")
    date_hierarchy = "created_at"

    @display(description="Verdict", label={"passed": "success", "failed": "danger"}, ordering="passed")
    def passed_label(self, obj: GateResult) -> str:
        return "passed" if obj.passed else "failed"

    def panels(self, obj: GateResult, request: HttpRequest) -> Sequence[Panel]:
        """Show what the gate saw."""
        pairs = [
            ("Verdict", badge("passed", "success") if obj.passed else badge("failed", "danger")),
            ("Version", link(obj.version)),
            ("For", stage_badge(obj.target_stage)),
            ("Observed", obj.observed),
            ("Threshold", obj.threshold),
            ("When", ago(obj.created_at)),
        ]
        return (
            Facts(title=obj.gate.replace("_", " "), pairs=pairs),
            Code(title="Evidence", text=pretty(obj.evidence)),
        )


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """The audit trail."""

    next_command = "manage.py train MODEL --dataset DATASET"
    next_page = TRAIN_PAGE
    list_display = ("when", "actor", "action", "object_type", "object_id", "reason")
    list_display_links = ("when", "action")
    list_filter = (("at", RangeDateTimeFilter), "action", "object_type")
    search_fields = ("actor", "action", "object_id", "reason", "request_id")
    date_hierarchy = "at"

    @display(description="At", ordering="at")
    def when(self, obj: AuditEntry) -> Any:
        return line(f"{obj.at:%Y-%m-%d %H:%M:%S}")

    def panels(self, obj: AuditEntry, request: HttpRequest) -> Sequence[Panel]:
        """Show who did what and why, before and after, and the chain."""
        pairs = [
            ("When", obj.at.strftime("%Y-%m-%d %H:%M:%S UTC")),
            ("Who", obj.actor),
            ("What", obj.action),
            ("Object", f"{obj.object_type} {obj.object_id}"),
            ("Why", obj.reason or "–"),
            ("Request id", mono(obj.request_id) if obj.request_id else "–"),
            ("Hash", mono(obj.hash, 16)),
            ("Follows", mono(obj.previous_hash, 16)),
        ]
        return (
            Facts(title="Audit entry", wide=True, pairs=pairs),
            Code(title="Before", text=pretty(obj.before)),
            Code(title="After", text=pretty(obj.after)),
        )


@admin.register(Waiver)
class WaiverAdmin(ReadOnlyAdmin):
    """Gates that somebody took on themselves."""

    next_command = "manage.py promote MODEL@N --stage production --reason WHY --waive GATE=REASON"
    list_display = ("gate", "request", "actor", "observed", "threshold", "reason", "created_at")
    list_filter = ("gate", ("created_at", RangeDateTimeFilter))
    list_select_related = ("request__version__model",)
    search_fields = ("gate", "actor", "reason", "request__version__model__name")

    def panels(self, obj: Waiver, request: HttpRequest) -> Sequence[Panel]:
        """Show what was waived, by whom and why."""
        pairs = [
            ("Gate", obj.gate.replace("_", " ")),
            ("Observed", obj.observed),
            ("Threshold", obj.threshold),
            ("Waived by", obj.actor),
            ("Why", obj.reason),
            ("For", link(obj.request)),
            ("Version", link(obj.request.version)),
            ("When", ago(obj.created_at)),
        ]
        return (Facts(title="Waiver", wide=True, pairs=pairs),)


@admin.register(AuditCheckpoint)
class AuditCheckpointAdmin(ReadOnlyAdmin):
    """Signed heads of the audit chain."""

    next_command = "manage.py audit_checkpoint"
    list_display = ("entry", "entries", "at", "key_id")
    list_filter = (("at", RangeDateTimeFilter), "key_id")
    search_fields = ("head", "key_id")

    def panels(self, obj: AuditCheckpoint, request: HttpRequest) -> Sequence[Panel]:
        """Show what was signed, and by which key."""
        pairs = [
            ("Last entry", link(AuditEntry.objects.filter(pk=obj.entry).first())),
            ("Entries", obj.entries),
            ("Head", mono(obj.head, 16)),
            ("When", ago(obj.at)),
            ("Signing key", mono(obj.key_id, 16)),
            ("Signature", mono(obj.signature, 16)),
        ]
        return (Facts(title="Audit checkpoint", note="audit_verify checks it.", wide=True, pairs=pairs),)
