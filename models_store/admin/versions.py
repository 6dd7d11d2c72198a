"""Model versions in the console: the page that decides, and the dialogs that act."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from features.ground.console import TRAIN_PAGE, Caution, ReadOnlyAdmin, actor_of, ago, answer, number, page_of
from features.ground.panels import Panel
from features.ground.unfold import (
    ActionDialog,
    ActionVariant,
    ChoicesDropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
    action,
    display,
    rarer,
)
from models_store.actions.evaluate_gates import evaluate_gates
from models_store.actions.promote import promote
from models_store.admin.card import card_response
from models_store.admin.comparison import comparison_panels
from models_store.admin.forms import (
    PROMOTION_TARGETS,
    RETIREMENT_TARGETS,
    MoveForm,
    PercentForm,
    PromoteForm,
    RetireForm,
    StageForm,
)
from models_store.admin.pages import comparison_page, version_panels
from models_store.admin.panels import STAGE_KINDS, metric, spaced
from models_store.core.gates import GateOutcome
from models_store.core.lifecycle import MOVES
from models_store.models import ModelVersion, Stage

WORDS = {
    "applied": "{version} is now {stage}.",
    "waiting": "{version} waits for approval to become {stage}.",
    "scheduled": "{version} becomes {stage} when its time has come.",
}


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    """Model versions."""

    next_command = "manage.py train MODEL --dataset DATASET"
    next_page = TRAIN_PAGE
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
    actions = ("compare_chosen",)
    actions_detail: Sequence[Any] = ("promote", "change_percent", "compare", rarer("evaluate", "retire"))

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

    def get_urls(self) -> list[URLPattern]:
        """Add the page that compares two versions."""
        compared = self.admin_site.admin_view(self.comparison)
        return [path("compare/", compared, name="models_store_modelversion_comparison"), *super().get_urls()]

    def comparison(self, request: HttpRequest) -> HttpResponse:
        """Show two versions of one model side by side."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        pair = compared_pair(self.get_queryset(request), request.GET.get("first", ""), request.GET.get("second", ""))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Compare {pair[0]} with {pair[1]}",
            "back": (page_of(pair[0].model), pair[0].model.name),
            "panels": comparison_panels(pair),
        }
        return TemplateResponse(request, "console/page.html", context)

    @admin.action(description="Compare two versions")
    def compare_chosen(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> HttpResponse | None:
        """Go to the page that shows the two chosen versions side by side."""
        chosen = list(queryset.order_by("model_id", "number")[:3])
        if len(chosen) != 2 or chosen[0].model_id != chosen[1].model_id:
            messages.error(request, f"Choose two versions of one model to compare, got {queryset.count()}.")
            return None
        return HttpResponseRedirect(comparison_page(*chosen))

    @action(description="Compare", url_path="beside", permissions=["view"], icon="compare_arrows")
    def compare(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Go to the page that shows this version beside the one in production, or the one before it."""
        version = get_object_or_404(ModelVersion, pk=object_id)
        return HttpResponseRedirect(comparison_page(version, beside(version)))

    def has_promote_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may ask for a promotion."""
        return bool(request.user.has_perm("models_store.promote_modelversion"))

    def has_move_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may promote this version: an ended one has nowhere to go."""
        return self.has_promote_permission(request) and not moves_of(object_id).isdisjoint(PROMOTION_TARGETS)

    def has_retire_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may archive or reject this version."""
        return self.has_promote_permission(request) and not moves_of(object_id).isdisjoint(RETIREMENT_TARGETS)

    def has_canary_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may change the share of this version: only a canary has one."""
        return self.has_promote_permission(request) and stage_of(object_id) == Stage.CANARY

    @action(
        description="Promote",
        url_path="promote",
        permissions=["move"],
        icon="rocket_launch",
        variant=ActionVariant.PRIMARY,
        dialog=ActionDialog(
            title="Promote this version?",
            description="Nothing is sent before you submit.",
            form_class=PromoteForm,
            form_submit_text="Promote",
        ),
    )
    def promote(self, request: HttpRequest, form: PromoteForm, object_id: str) -> HttpResponse:
        """Ask for a promotion."""
        return moved(request, object_id, waive=form.waived(), **asked(form))

    @action(
        description="Change canary percent",
        url_path="percent",
        permissions=["canary"],
        icon="percent",
        dialog=ActionDialog(
            title="Change the canary's share?",
            description="The other requests go to the version in production.",
            form_class=PercentForm,
            form_submit_text="Change",
        ),
    )
    def change_percent(self, request: HttpRequest, form: PercentForm, object_id: str) -> HttpResponse:
        """Give the canary another share of requests, through the same door as any promotion."""
        return moved(request, object_id, target_stage=Stage.CANARY.value, **asked(form))

    @action(
        description="Archive or reject",
        url_path="retire",
        permissions=["retire"],
        icon="archive",
        variant=ActionVariant.DANGER,
        dialog=ActionDialog(
            title="Archive or reject this version?",
            description="Its rows, metrics and files are kept.",
            form_class=RetireForm,
            form_submit_text="Take out of service",
        ),
    )
    def retire(self, request: HttpRequest, form: RetireForm, object_id: str) -> HttpResponse:
        """Take a version out of service."""
        return moved(request, object_id, **asked(form))

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


def beside(version: ModelVersion) -> ModelVersion:
    """Return what a version is compared with unless somebody chooses: production, or else the one before it."""
    others = ModelVersion.objects.filter(model=version.model_id).exclude(pk=version.pk)
    earlier = others.filter(number__lt=version.number).order_by("-number").first()
    return others.filter(stage=Stage.PRODUCTION).first() or earlier or others.first() or version


def compared_pair(versions: QuerySet[ModelVersion], *keys: str) -> tuple[ModelVersion, ModelVersion]:
    """Return two versions of one model by their keys."""
    found = [
        versions.select_related("model", "snapshot__dataset_version__dataset").filter(pk=key).first()
        for key in keys
        if key.isdecimal()
    ]
    if len(found) != 2 or found[0] is None or found[1] is None or found[0].model_id != found[1].model_id:
        raise Http404("first and second are the numbers of two rows of one model's versions")
    return found[0], found[1]


def gates_said(outcomes: Sequence[GateOutcome]) -> str:
    """Return how many gates pass and which don't."""
    failed = [spaced(outcome.gate) for outcome in outcomes if not outcome.passed]
    total = f"{len(outcomes) - len(failed)} of {len(outcomes)} gates pass."
    return Caution(f"{total} Failed: {', '.join(failed)}.") if failed else total


def asked(form: MoveForm | PercentForm) -> dict[str, Any]:
    """Return what a filled form asks of the action."""
    names = ("target_stage", "reason", "percent", "expected_generation")
    return {name: form.cleaned_data[name] for name in names if name in form.cleaned_data}


def moved(request: HttpRequest, object_id: str, **wanted: Any) -> HttpResponse:
    """Ask for a move of a version, and say what came of it."""
    version = get_object_or_404(ModelVersion.objects.select_related("model"), pk=object_id)

    def work() -> str:
        done = promote(str(version), **wanted, actor=actor_of(request))
        said = WORDS[done.state].format(version=version, stage=wanted["target_stage"])
        share = f" It takes {wanted['percent']} % of requests." if wanted.get("percent") else ""
        return f"{said}{share} {done.warning}".strip()

    return answer(request, page_of(version), work)


def stage_of(object_id: Any) -> str:
    """Return the stage a version holds, or nothing where there is none."""
    return ModelVersion.objects.filter(pk=object_id).values_list("stage", flat=True).first() or ""


def moves_of(object_id: Any) -> set[str]:
    """Return where a version may go."""
    return MOVES.get(stage_of(object_id), set())
