"""The dialogs that ask for a run, cancel one, or queue it again."""

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.conf import settings
from rest_framework.serializers import ChoiceField

from features.ground.unfold import (
    BaseDialogForm,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)
from features.models import Dataset
from models_store.admin.forms import reason_field
from models_store.admin.panels import spaced
from models_store.models import ModelVersion
from pipeline.admin.run_panels import params_table, run_facts_table
from pipeline.core.training_plan import DEFAULT_ESTIMATOR, ESTIMATORS
from pipeline.models import Run
from pipeline.serializers import DriftParams, RunRequest, Strict, TrainParams


def choices(params: type[Strict], name: str) -> list[tuple[str, str]]:
    """Return what the API takes for one of a run's parameters."""
    taken = cast(ChoiceField, params().fields[name]).choices
    return [(value, value) for value in taken]


def estimators() -> list[tuple[str, str]]:
    """Return what a model may be trained with, the project's own too."""
    own = (pair.partition("=")[0] for pair in settings.CONFIG.training.estimators)
    named = [(name, spaced(name)) for name in (*ESTIMATORS, *own)]
    return [("", f"{spaced(DEFAULT_ESTIMATOR)} (the default)"), *named]


class AboutForm(BaseDialogForm):
    """A dialog that shows what it is about, and asks why."""

    form_before_template = "console/about.html"
    reason = reason_field("Why?")

    def about(self) -> tuple[str, Any]:
        """Return a sentence, and a panel or None."""
        return "", None

    def get_before_template_context(self, request: Any, object_id: Any = None) -> dict[str, Any]:
        """Return what this is about."""
        said, panel = self.about()
        return {"said": said, "panel": panel}


class ChangeRunForm(AboutForm):
    """Asks about a run, with its state in view."""

    def about(self) -> tuple[str, Any]:
        """Return the run."""
        run = Run.objects.filter(pk=self.object_id).first()
        return "", run_facts_table(run) if run else None


class AskForm(AboutForm):
    """Asks for a run; what its parameters may be is the API's to say."""

    kind = Run.Kind.TRAIN
    names: tuple[str, ...] = ()

    def given(self) -> dict[str, Any]:
        """Return the parameters that no input asks for."""
        return {}

    def clean(self) -> dict[str, Any]:
        """Read the parameters as the API does, and say of each input what is wrong with it."""
        cleaned: dict[str, Any] = super().clean() or {}
        filled = {name: cleaned[name] for name in self.names if cleaned.get(name) not in (None, "", [])}
        asked = RunRequest(data={"kind": self.kind.value, "params": {**self.given(), **filled}})
        if asked.is_valid():
            return {**cleaned, "params": asked.validated_data["params"]}
        faults = asked.errors.get("params", asked.errors)
        for name, said in faults.items() if isinstance(faults, Mapping) else (("", faults),):
            words = [str(part) for part in (said if isinstance(said, list) else [said])]
            self.add_error(name if name in self.fields else None, words)
        return cleaned


class DriftForm(AskForm):
    """Asks for a drift report of one version."""

    kind = Run.Kind.DRIFT
    names = ("window_hours", "method")
    window_hours = forms.FloatField(
        label="Hours to look back",
        required=False,
        min_value=0.01,
        widget=UnfoldAdminTextInputWidget,
        help_text="Of the prediction log; the configured window if left empty.",
    )
    method = forms.ChoiceField(
        label="Measure",
        required=False,
        choices=[("", "as configured"), *choices(DriftParams, "method")],
        widget=UnfoldAdminSelectWidget,
        help_text="How far a numeric column has moved.",
    )
    field_order = ("window_hours", "method", "reason")

    def given(self) -> dict[str, Any]:
        """Return the version."""
        version = ModelVersion.objects.select_related("model").filter(pk=self.object_id).first()
        return {"model": str(version)} if version else {}

    def about(self) -> tuple[str, Any]:
        """Return which version is looked at."""
        model = self.given().get("model", "")
        return f"A run compares what {model} was asked with what it was trained on. Nothing that serves changes.", None


class RetrainForm(AboutForm):
    """Asks to train again as a version was trained."""

    def about(self) -> tuple[str, Any]:
        """Return the parameters."""
        params = params_of(self.object_id)
        data = params.get("dataset") or f"snapshot {params.get('snapshot_id')}"
        return f"A run trains on {data} with the same parameters. What it makes is a candidate: nothing serves it.", (
            params_table(params)
        )


class TrainForm(AskForm):
    """Asks to train a model on a dataset."""

    names = ("model", "target", "views", "estimator", "split", "seed", "slices")
    model = forms.CharField(
        label="Model",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="Letters, digits, - and _. A new name makes a new model.",
    )
    target = forms.CharField(
        label="Target",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="The column to predict; the dataset's own if left empty.",
    )
    views = forms.CharField(
        label="Feature views",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Whose features are joined, each as known at the row's time; names separated by commas.",
    )
    estimator = forms.ChoiceField(
        label="Estimator",
        required=False,
        choices=estimators,
        widget=UnfoldAdminSelectWidget,
        help_text="Classes: any but ridge. Numbers: any but logistic regression and linear svm.",
    )
    split = forms.ChoiceField(
        label="Held-out rows",
        required=False,
        choices=[("", "the newest, where there is a time"), *choices(TrainParams, "split")],
        widget=UnfoldAdminSelectWidget,
        help_text="The rows every metric is measured on; they are never trained on.",
    )
    seed = forms.IntegerField(
        label="Seed",
        required=False,
        min_value=0,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="The same seed and data give the same model.",
    )
    slices = forms.CharField(
        label="Slices",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Columns to measure value by value, separated by commas.",
    )
    field_order = (*names, "reason")

    def given(self) -> dict[str, Any]:
        """Return the dataset."""
        return {"dataset": Dataset.objects.values_list("name", flat=True).filter(pk=self.object_id).first()}

    def clean_slices(self) -> list[str]:
        """Return the columns as a list."""
        return listed(self.cleaned_data["slices"])

    def clean_views(self) -> list[str]:
        """Return the views as a list."""
        return listed(self.cleaned_data["views"])

    def about(self) -> tuple[str, Any]:
        """Return which data is used, and what it would predict."""
        data = Dataset.objects.filter(pk=self.object_id).first()
        aim = f" to predict {data.target_column}" if data and data.target_column else ""
        return f"A run trains on the newest version of {data}{aim}. What it makes is a candidate.", None


def listed(text: str) -> list[str]:
    """Return the names between commas."""
    return [name for part in text.split(",") if (name := part.strip())]


def params_of(version_id: Any) -> dict[str, Any]:
    """Return what the run that trained a version was asked; empty where no run here did."""
    run_id = ModelVersion.objects.filter(pk=version_id).values_list("run_id", flat=True).first()
    run = Run.objects.filter(pk=run_id, kind=Run.Kind.TRAIN).first() if run_id else None
    params = run.params if run else {}
    return params if params.get("dataset") or params.get("snapshot_id") else {}
