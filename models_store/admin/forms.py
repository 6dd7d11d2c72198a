"""The dialogs that ask for a promotion, an evaluation or a rollback, with what it does and the gates in view."""

from typing import Any

from django import forms

from features.ground.unfold import (
    BaseDialogForm,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)
from models_store.admin import consequences
from models_store.admin.panels import gates_table, newest_results, spaced
from models_store.core.lifecycle import DEFAULT_CANARY_PERCENT, MOVES
from models_store.core.reasons import MAX_REASON
from models_store.core.waivers import NEVER
from models_store.models import ModelVersion, RegisteredModel, Stage

PROMOTION_TARGETS = (Stage.PRODUCTION, Stage.CANARY, Stage.SHADOW)
RETIREMENT_TARGETS = (Stage.ARCHIVED, Stage.REJECTED)
GATED_STAGES = [(stage.value, stage.label) for stage in PROMOTION_TARGETS]
WAIVE = "waive_"


def reason_field(help_text: str) -> forms.CharField:
    """Return the input that every dialog ends with."""
    return forms.CharField(
        max_length=MAX_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=f"{help_text} It is kept in the audit trail.",
    )


def percent_field(required: bool, help_text: str) -> forms.IntegerField:
    """Return the input of a canary's share."""
    return forms.IntegerField(
        label="Canary percent",
        min_value=1,
        max_value=100,
        required=required,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=help_text,
    )


class VersionForm(BaseDialogForm):
    """A dialog about a version: what would happen, and its newest gates."""

    form_before_template = "console/promote.html"
    regards_gates = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.version = ModelVersion.objects.select_related("model").filter(pk=self.object_id).first()

    def stages(self) -> list[Stage]:
        """Return the stages that may be chosen."""
        return []

    def get_before_template_context(self, request: Any, object_id: Any = None) -> dict[str, Any]:
        """Return the version, what each choice does, and the newest gates."""
        if self.version is None:
            return {}
        effects = consequences.of_a_promotion(self.version, self.stages())
        panel = gates_table(self.version) if self.regards_gates else None
        return {"version": self.version, "effects": effects, "panel": panel, "promoting": "reason" in self.fields}


class StageForm(VersionForm):
    """Ask which stage is meant."""

    target_stage = forms.ChoiceField(
        label="Stage",
        choices=GATED_STAGES,
        widget=UnfoldAdminSelectWidget,
        help_text="The gates that stand before this stage are evaluated.",
    )


class MoveForm(StageForm):
    """Ask for a move of a version that somebody looked at."""

    targets: tuple[Stage, ...] = ()
    reason = reason_field("Why now?")
    # What the person saw: the action refuses if somebody changed what serves in the meantime.
    expected_generation = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["target_stage"].choices = [(to.value, to.label) for to in self.stages()]
        self.fields["expected_generation"].initial = self.version and self.version.model.generation

    def stages(self) -> list[Stage]:
        """Return where this version may go."""
        moves = MOVES.get(self.version.stage, set()) if self.version else set()
        return [to for to in self.targets if to in moves]


class PromoteForm(MoveForm):
    """Ask for a promotion."""

    targets = PROMOTION_TARGETS
    percent = percent_field(False, f"For a canary: its share of requests, {DEFAULT_CANARY_PERCENT} if left empty.")
    field_order = ("target_stage", "percent", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Only a gate that was seen to fail can be taken on oneself, and only by who may.
        if self.version and self.request.user.has_perm("models_store.waive_gate"):
            failed = [found.gate for found in newest_results(self.version) if not found.passed]
            self.fields |= {f"{WAIVE}{gate}": waive_field(gate) for gate in failed if gate != NEVER}

    def waived(self) -> dict[str, str]:
        """Return the gates to waive and why."""
        given = {name.removeprefix(WAIVE): said for name, said in self.cleaned_data.items() if name.startswith(WAIVE)}
        return {gate: said for gate, said in given.items() if said}

    def clean(self) -> dict[str, Any]:
        """Refuse a percent for any stage but a canary's."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("target_stage") != Stage.CANARY and cleaned.get("percent") is not None:
            self.add_error("percent", "Only a canary takes a percent: leave it empty.")
        return cleaned


def waive_field(gate: str) -> forms.CharField:
    """Return the input that takes a failed gate on oneself."""
    return forms.CharField(
        label=f"Waive {spaced(gate)}, because",
        max_length=MAX_REASON,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Only to promote although this gate says no: your name and this reason are shown for good.",
    )


class RetireForm(MoveForm):
    """Ask that a version serve no more."""

    targets = RETIREMENT_TARGETS
    regards_gates = False
    target_stage = forms.ChoiceField(
        label="Stage",
        choices=[(stage.value, stage.label) for stage in RETIREMENT_TARGETS],
        widget=UnfoldAdminSelectWidget,
        help_text="An archived version may return by a rollback; a rejected one never.",
    )


class PercentForm(VersionForm):
    """Ask for another share of requests for the canary."""

    percent = percent_field(True, "Its share of requests from now on, 1 to 100.")
    reason = reason_field("Why this share?")
    expected_generation = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.version:
            self.fields["percent"].initial = self.version.model.canary_percent
            self.fields["expected_generation"].initial = self.version.model.generation

    def stages(self) -> list[Stage]:
        """Return the stage it keeps."""
        return [Stage.CANARY]


class RollbackForm(BaseDialogForm):
    """Ask for a rollback."""

    form_before_template = "console/promote.html"
    to = forms.ChoiceField(
        label="Back to",
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="A version that has been in production before.",
    )
    reason = reason_field("What went wrong?")
    expected_generation = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model = RegisteredModel.objects.filter(pk=self.object_id).first()
        versions = ModelVersion.objects.filter(model=self.object_id, stage=Stage.ARCHIVED).order_by("-stage_changed_at")
        older = [(version.number, f"version {version.number}") for version in versions[:50]]
        self.fields["to"].choices = [("", "the version that served before"), *older]
        self.fields["expected_generation"].initial = self.model and self.model.generation

    def get_before_template_context(self, request: Any, object_id: Any = None) -> dict[str, Any]:
        """Return what a rollback does, and the newest gates of the version it goes to."""
        if self.model is None:
            return {}
        back = consequences.previous(self.model)
        panel = gates_table(back) if back else None
        return {"effects": consequences.of_a_rollback(self.model), "panel": panel, "promoting": True}
