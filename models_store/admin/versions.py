"""Model versions in the console: the page that decides, and the dialogs that act."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from features.ground.console import ReadOnlyAdmin, actor_of, ago, answer, number, page_of
from features.ground.panels import Panel
from features.ground.unfold import (
    ActionDialog,
    ActionVariant,
    ChoicesDropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
    action,
    display,
)
from models_store.actions.evaluate_gates import evaluate_gates
from models_store.actions.promote import promote
from models_store.admin.card import card_response
from models_store.admin.forms import PROMOTION_TARGETS, PromoteForm, StageForm
from models_store.admin.pages import version_panels
from models_store.admin.panels import STAGE_KINDS, metric, spaced
from models_store.core.gates import GateOutcome
from models_store.core.lifecycle import MOVES
from models_store.models import ModelVersion

WORDS = {
    "applied": "{version} is now {stage}.",
    "waiting": "{version} waits for approval to become {stage}.",
    "scheduled": "{version} becomes {stage} when its time has come.",
}


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    """Model versions."""

    next_command = "manage.py train MODEL --dataset DATASET"
    list_display = ("__str__", "stage_label", "primary", "estimator", "engine", "snapshot", "actor", "made")
    list_filter = (
        ("stage", ChoicesDropdownFilter),
        ("model", RelatedDropdownFilter),
        ("engine", ChoicesDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    )
    list_select_related = ("model", "snapshot")
    search_fields = ("model__name", "estimator", "manifest_digest", "actor")
    date_hierarchy = "created_at"
    actions_detail = ("promote", "evaluate")

    @display(description="Stage", label=STAGE_KINDS, ordering="stage")
    def stage_label(self, obj: ModelVersion) -> str:
        return obj.stage

    @display(description="Primary metric")
    def primary(self, obj: ModelVersion) -> str:
        name = obj.model.primary_metric
        return f"{spaced(name)} {number(metric(obj, name))}"

    @display(description="Made", ordering="created_at")
    def made(self, obj: ModelVersion) -> Any:
        return ago(obj.created_at)

    def panels(self, obj: ModelVersion, request: HttpRequest) -> Sequence[Panel]:
        """Show what decides about a promotion first, then lineage and detail."""
        return version_panels(obj, request.build_absolute_uri("/").rstrip("/"))

    def get_custom_urls(self) -> tuple[Any, ...]:
        """Add the model card's own address."""
        return (("<int:pk>/card.md", "models_store_modelversion_card", self.card),)

    def card(self, request: HttpRequest, pk: int, model_admin: Any) -> HttpResponse:
        """Serve the model card as a file."""
        version = get_object_or_404(ModelVersion.objects.select_related("model"), pk=pk)
        if not self.has_view_permission(request, version):
            raise PermissionDenied
        return card_response(version)

    def has_promote_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may ask for a promotion."""
        return bool(request.user.has_perm("models_store.promote_modelversion"))

    def has_move_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may promote this version: an ended one has nowhere to go."""
        stage = ModelVersion.objects.filter(pk=object_id).values_list("stage", flat=True).first()
        return self.has_promote_permission(request) and not MOVES.get(stage or "", set()).isdisjoint(PROMOTION_TARGETS)

    @action(
        description="Promote",
        url_path="promote",
        permissions=["move"],
        icon="rocket_launch",
        variant=ActionVariant.PRIMARY,
        dialog=ActionDialog(
            title="Promote this version?",
            description="The version in that stage now is archived; serving follows within a second.",
            form_class=PromoteForm,
            form_submit_text="Promote",
        ),
    )
    def promote(self, request: HttpRequest, form: PromoteForm, object_id: str) -> HttpResponse:
        """Ask for a promotion."""
        version = get_object_or_404(ModelVersion.objects.select_related("model"), pk=object_id)

        def work() -> str:
            done = promote(str(version), **asked(form), actor=actor_of(request))
            said = WORDS[done.state].format(version=version, stage=form.cleaned_data["target_stage"])
            return f"{said} {done.warning}".strip()

        return answer(request, page_of(version), work)

    @action(
        description="Evaluate gates",
        url_path="evaluate",
        permissions=["promote"],
        icon="rule",
        dialog=ActionDialog(
            title="Evaluate the gates?",
            description="Measures this version against its model's policy and keeps the results. Nothing is promoted.",
            form_class=StageForm,
            form_submit_text="Evaluate",
        ),
    )
    def evaluate(self, request: HttpRequest, form: StageForm, object_id: str) -> HttpResponse:
        """Measure a version against the policy and keep the results."""
        version = get_object_or_404(ModelVersion.objects.select_related("model"), pk=object_id)

        def work() -> str:
            stage = form.cleaned_data["target_stage"]
            outcomes = evaluate_gates(str(version), target_stage=stage, actor=actor_of(request))
            return gates_said(outcomes)

        return answer(request, page_of(version), work)


def gates_said(outcomes: Sequence[GateOutcome]) -> str:
    """Return how many gates pass and which don't."""
    failed = [spaced(outcome.gate) for outcome in outcomes if not outcome.passed]
    total = f"{len(outcomes) - len(failed)} of {len(outcomes)} gates pass."
    return f"{total} Failed: {', '.join(failed)}." if failed else total


def asked(form: PromoteForm) -> dict[str, Any]:
    """Return what a filled form asks of the action."""
    names = ("target_stage", "reason", "percent", "expected_generation")
    return {name: form.cleaned_data[name] for name in names}
