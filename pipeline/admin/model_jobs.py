"""The runs that the pages of datasets and model versions ask for: those pages lie on lower floors."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from features.admin.datasets import DatasetAdmin
from features.ground.console import actor_of, answer, is_admin, list_of, page_of
from features.ground.unfold import ActionDialog, action, rarer
from features.models import Dataset
from models_store.admin.versions import ModelVersionAdmin
from models_store.models import ModelVersion
from pipeline.actions.runs import enqueue_run
from pipeline.admin.run_forms import AskForm, DriftForm, RetrainForm, TrainForm, params_of
from pipeline.models import Run

admin.site.unregister((Dataset, ModelVersion))


def ask(request: HttpRequest, kind: Run.Kind, params: Mapping[str, Any], reason: str) -> HttpResponse:
    """Queue a run and go to its page."""
    made: list[Run] = []

    def work() -> str:
        made.append(enqueue_run(kind.value, params, actor=actor_of(request), reason=reason))
        return f"{made[0]} is queued; this page follows it."

    queued = answer(request, "", work)
    address = page_of(made[0]) if made else list_of("pipeline_run")
    queued["HX-Redirect" if "HX-Redirect" in queued else "Location"] = address
    return queued


def asked(request: HttpRequest, form: AskForm) -> HttpResponse:
    """Queue what a filled form asks for."""
    return ask(request, form.kind, form.cleaned_data["params"], form.cleaned_data["reason"])


@admin.register(ModelVersion)
class TrainedVersionAdmin(ModelVersionAdmin):
    """Model versions, and the runs about them."""

    actions_detail = ("promote", "change_percent", "compare", rarer("evaluate", "retrain", "run_drift", "retire"))

    def has_jobs_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may ask for runs, as in the API."""
        return is_admin(request) and ModelVersion.objects.filter(pk=object_id).exists()

    def has_retrain_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may train again: a run here must have trained it."""
        return is_admin(request) and bool(params_of(object_id))

    @action(
        description="Retrain",
        url_path="retrain",
        permissions=["retrain"],
        icon="model_training",
        dialog=ActionDialog(
            title="Train again with the same parameters?",
            description="With the dataset named alone, on its newest rows.",
            form_class=RetrainForm,
            form_submit_text="Retrain",
        ),
    )
    def retrain(self, request: HttpRequest, form: RetrainForm, object_id: str) -> HttpResponse:
        """Train again as this version was trained."""
        get_object_or_404(ModelVersion, pk=object_id)
        return ask(request, Run.Kind.TRAIN, params_of(object_id), form.cleaned_data["reason"])

    @action(
        description="Run drift report",
        url_path="drift",
        permissions=["jobs"],
        icon="monitoring",
        dialog=ActionDialog(
            title="Make a drift report?",
            description="Takes some seconds; the run's page leads to the report.",
            form_class=DriftForm,
            form_submit_text="Run",
        ),
    )
    def run_drift(self, request: HttpRequest, form: DriftForm, object_id: str) -> HttpResponse:
        """Compare what this version is asked with what it was trained on."""
        return asked(request, form)


@admin.register(Dataset)
class TrainableDatasetAdmin(DatasetAdmin):
    """Datasets, and training on them."""

    actions_detail = (*DatasetAdmin.actions_detail, "train")

    def has_train_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may train on this dataset: it must have rows."""
        return is_admin(request) and Dataset.objects.filter(pk=object_id, versions__isnull=False).exists()

    @action(
        description="Train a model",
        url_path="train",
        permissions=["train"],
        icon="model_training",
        dialog=ActionDialog(
            title="Train a model on this dataset?",
            description="Nothing serves what it makes until somebody promotes it.",
            form_class=TrainForm,
            form_submit_text="Train",
        ),
    )
    def train(self, request: HttpRequest, form: TrainForm, object_id: str) -> HttpResponse:
        """Queue a training run."""
        return asked(request, form)
