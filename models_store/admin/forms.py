"""The dialogs that ask for a promotion, an evaluation or a rollback."""

from typing import Any

from django import forms

from features.ground.unfold import (
    BaseDialogForm,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)
from models_store.admin.panels import gates_table
from models_store.core.lifecycle import DEFAULT_CANARY_PERCENT, MOVES
from models_store.models import ModelVersion, RegisteredModel, Stage

PROMOTION_TARGETS = (Stage.PRODUCTION, Stage.CANARY, Stage.SHADOW)
GATED_STAGES = [(stage.value, stage.label) for stage in PROMOTION_TARGETS]


class StageForm(BaseDialogForm):
    """Ask which stage is meant, with the newest gates in view."""

    form_before_template = "console/promote.html"
    target_stage = forms.ChoiceField(choices=GATED_STAGES, widget=UnfoldAdminSelectWidget)

    def get_before_template_context(self, request: Any, object_id: Any = None) -> dict[str, Any]:
        """Return the version and its newest gates."""
        version = ModelVersion.objects.select_related("model").filter(pk=object_id).first()
        return {
            "version": version,
            "panel": gates_table(version) if version else None,
            "promoting": "reason" in self.fields,
        }


class PromoteForm(StageForm):
    """Ask for a promotion."""

    percent = forms.IntegerField(
        label="Canary percent",
        min_value=1,
        max_value=100,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=f"For a canary: its share of requests, {DEFAULT_CANARY_PERCENT} if left empty.",
    )
    reason = forms.CharField(
        max_length=2000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Why now? It is kept in the audit trail.",
    )
    # What the person saw: the action refuses if somebody changed what serves in the meantime.
    expected_generation = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stage = ModelVersion.objects.filter(pk=self.object_id).values_list("stage", flat=True).first()
        moves = MOVES.get(stage or "", set())
        self.fields["target_stage"].choices = [(to.value, to.label) for to in PROMOTION_TARGETS if to in moves]
        found = RegisteredModel.objects.filter(versions=self.object_id).values_list("generation", flat=True).first()
        self.fields["expected_generation"].initial = found

    def clean(self) -> dict[str, Any]:
        """Refuse a percent for any stage but a canary's."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("target_stage") != Stage.CANARY and cleaned.get("percent") is not None:
            self.add_error("percent", "Only a canary takes a percent: leave it empty.")
        return cleaned


class RollbackForm(BaseDialogForm):
    """Ask for a rollback."""

    to = forms.ChoiceField(label="Back to", required=False, widget=UnfoldAdminSelectWidget)
    reason = forms.CharField(
        max_length=2000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="What went wrong? It is kept in the audit trail.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions = ModelVersion.objects.filter(model=self.object_id, stage=Stage.ARCHIVED).order_by("-stage_changed_at")
        older = [(version.number, f"version {version.number}") for version in versions[:50]]
        self.fields["to"].choices = [("", "the version that served before"), *older]
