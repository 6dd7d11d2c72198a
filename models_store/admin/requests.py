"""Promotion requests in the console, and the word of a second person on them."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from features.ground.console import ReadOnlyAdmin, actor_of, ago, answer, link, mono, page_of
from features.ground.panels import Code, Facts, Panel, Table
from features.ground.unfold import (
    ActionDialog,
    ActionVariant,
    ChoicesDropdownFilter,
    RelatedDropdownFilter,
    action,
    badge,
    display,
)
from models_store.actions.approve import approve
from models_store.actions.reject import reject
from models_store.admin.decisions import ApproveForm, RejectForm
from models_store.admin.next_steps import given, needed, of_a_request
from models_store.admin.pages import waivers_tables
from models_store.admin.panels import gates_table, pretty, stage_badge
from models_store.admin.versions import WORDS
from models_store.core.people import person
from models_store.models import PromotionRequest
from models_store.models.promotion import OPEN

STATE_KINDS = {
    "waiting": "warning",
    "scheduled": "info",
    "applied": "success",
    "refused": "danger",
    "rejected": "danger",
}


@admin.register(PromotionRequest)
class PromotionRequestAdmin(ReadOnlyAdmin):
    """Promotion requests."""

    next_command = "manage.py promote MODEL@N --stage production --reason WHY"
    next_page = ("Open a model version, then Promote", "admin:models_store_modelversion_changelist")
    list_display = ("version", "target_stage", "state_label", "requester", "reason", "made")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("target_stage", ChoicesDropdownFilter),
        ("version__model", RelatedDropdownFilter),
    )
    list_select_related = ("version__model",)
    search_fields = ("version__model__name", "requester", "reason")
    date_hierarchy = "created_at"
    actions_detail = ("approve", "reject")

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
            ("Why", obj.reason),
            ("Version", link(obj.version)),
            ("To", stage_badge(obj.target_stage)),
            *([("Canary percent", f"{obj.percent} %")] if obj.percent else []),
            ("Asked by", obj.requester),
            ("Asked", ago(obj.created_at)),
            ("Not before", ago(obj.not_before)),
            ("Expires", ago(obj.expires_at) if obj.state in OPEN else "–"),
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
            Facts(title=str(obj), note=of_a_request(obj), wide=True, pairs=pairs),
            *refusal,
            *waivers_tables(obj.waivers.all()),
            gates_table(obj.version),
            Table(
                title="Approvals",
                note=f"{given(obj)} of {asked} that the policy asks for." if (asked := needed(obj)) else "",
                headers=("Who", "Word", "Why", "When"),
                rows=rows,
                empty="None given.",
            ),
        )

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may give their word on this request: not on one's own, nor on one that has ended."""
        found = PromotionRequest.objects.open().filter(pk=object_id).first()
        may = request.user.has_perm("models_store.approve_promotion")
        return bool(may and found and person(found.requester) != person(actor_of(request)))

    def has_end_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may reject this request, or take their own back."""
        found = PromotionRequest.objects.open().filter(pk=object_id).first()
        may = request.user.has_perm("models_store.approve_promotion")
        return bool(found and (may or person(found.requester) == person(actor_of(request))))

    @action(
        description="Approve",
        url_path="approve",
        permissions=["decide"],
        icon="check",
        variant=ActionVariant.PRIMARY,
        dialog=ActionDialog(
            title="Approve this promotion?",
            description="With the last approval that the policy asks for, the stage changes at once.",
            form_class=ApproveForm,
            form_submit_text="Approve",
        ),
    )
    def approve(self, request: HttpRequest, form: ApproveForm, object_id: str) -> HttpResponse:
        """Approve somebody else's request."""
        found = get_object_or_404(PromotionRequest.objects.presented(), pk=object_id)

        def work() -> str:
            done = approve(found.pk, reason=form.cleaned_data["reason"], actor=actor_of(request))
            return f"{WORDS[done.state].format(version=found.version, stage=found.target_stage)} {done.warning}".strip()

        return answer(request, page_of(found), work)

    @action(
        description="Reject",
        url_path="reject",
        permissions=["end"],
        icon="block",
        variant=ActionVariant.DANGER,
        dialog=ActionDialog(
            title="Reject this promotion?",
            description="The request ends and nothing changes; it can be asked for again.",
            form_class=RejectForm,
            form_submit_text="Reject",
        ),
    )
    def reject(self, request: HttpRequest, form: RejectForm, object_id: str) -> HttpResponse:
        """Reject a request, or take one's own back."""
        found = get_object_or_404(PromotionRequest.objects.presented(), pk=object_id)

        def work() -> str:
            reject(found.pk, reason=form.cleaned_data["reason"], actor=actor_of(request))
            return f"{found} is rejected."

        return answer(request, page_of(found), work)
