"""Promotion requests, approvals, gate results and the audit trail in the console."""

import json
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from features.ground.console import ReadOnlyAdmin, ago, link, mono
from features.ground.panels import Code, Facts, Panel, Table
from features.ground.unfold import (
    ChoicesDropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
    badge,
    display,
)
from models_store.admin.panels import gates_table, stage_badge
from models_store.models import Approval, AuditEntry, GateResult, PromotionRequest

STATE_KINDS = {"waiting": "warning", "applied": "success", "refused": "danger", "rejected": "danger"}


@admin.register(PromotionRequest)
class PromotionRequestAdmin(ReadOnlyAdmin):
    """Promotion requests."""

    next_command = "manage.py promote MODEL@N --stage production --reason WHY"
    list_display = ("version", "target_stage", "state_label", "requester", "reason", "made")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("target_stage", ChoicesDropdownFilter),
        ("version__model", RelatedDropdownFilter),
    )
    list_select_related = ("version__model",)
    search_fields = ("version__model__name", "requester", "reason")
    date_hierarchy = "created_at"

    @display(description="State", label=STATE_KINDS, ordering="state")
    def state_label(self, obj: PromotionRequest) -> str:
        return obj.state

    @display(description="Asked", ordering="created_at")
    def made(self, obj: PromotionRequest) -> Any:
        return ago(obj.created_at)

    def panels(self, obj: PromotionRequest, request: HttpRequest) -> Sequence[Panel]:
        """Show what was asked, why, what the gates said and who approved."""
        pairs = [
            ("State", badge(obj.state, STATE_KINDS.get(obj.state, ""))),
            ("Version", link(obj.version)),
            ("To", stage_badge(obj.target_stage)),
            ("Canary percent", obj.percent),
            ("Asked by", obj.requester),
            ("Asked", ago(obj.created_at)),
            ("Decided", ago(obj.decided_at)),
            ("Evidence", mono(obj.evidence_digest, 16)),
            ("Generation then", obj.expected_generation),
        ]
        rows = [
            (a.approver, "approved" if a.approved else "rejected", a.reason or "–", ago(a.created_at))
            for a in obj.approvals.all()
        ]
        refusal = (Code(title="Refusal", text=pretty(obj.refusal), wide=True),) if obj.refusal else ()
        return (
            Facts(title="Promotion request", note=obj.reason, wide=True, pairs=pairs),
            *refusal,
            gates_table(obj.version),
            Table(title="Approvals", headers=("Who", "Word", "Why", "When"), rows=rows, empty="None given."),
        )


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """Approvals."""

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
    list_display = ("at", "actor", "action", "object_type", "object_id", "reason")
    list_display_links = ("at", "action")
    list_filter = (("at", RangeDateTimeFilter), "action", "object_type")
    search_fields = ("actor", "action", "object_id", "reason", "request_id")
    date_hierarchy = "at"

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


def pretty(value: Any) -> str:
    """Return stored JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False) if value else "nothing"
