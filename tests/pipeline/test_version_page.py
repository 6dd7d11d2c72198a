"""What the console and the registry show of a training."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from features.actions.ingest import ingest
from features.core.schema import ColumnRoles
from models_store.admin.pages import version_panels
from models_store.core.experiments import Trained, side_by_side
from models_store.errors import UnknownModelError
from models_store.models import ModelVersion
from pipeline.actions.train import train
from pipeline.actions.train_request import TrainRequest
from tests.pipeline.test_runs_api import bearer
from tests.pipeline.training_data import flights

pytestmark = pytest.mark.django_db(transaction=True)
PLAIN = {"estimator": "logistic_regression"}
FULL = PLAIN | {"threshold_goal": "f1", "tune": 3, "cv": 2, "slices": ("weekend",), "params": {"max_iter": 200}}


@pytest.fixture
def dataset(var_dir: Path, tmp_path: Path) -> None:
    for name, target in (("flights", "late"), ("delays", "delay")):
        pq.write_table(flights(400, target=target)[0], tmp_path / f"{name}.parquet")
        roles = ColumnRoles(target=target, timestamp="departs")
        ingest(name, [tmp_path / f"{name}.parquet"], actor="cli:ann", roles=roles)


def trained(model: str, dataset: str, **asked: Any) -> ModelVersion:
    made = train(TrainRequest(model=model, dataset=dataset, **asked), actor="cli:ann")
    return ModelVersion.objects.resolve(f"{model}@{made.version}")


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def titles(version: ModelVersion) -> list[str]:
    return [panel.title for panel in version_panels(version, "http://x")]


def test_page_of_a_classifier_draws_what_was_measured(dataset: None, console: Client) -> None:
    version = trained("late", "flights", **FULL)
    drawn = [
        "Calibration",
        "ROC",
        "Precision and recall",
        "Confusion",
        "What it looks at",
        "Cross-validation",
        "Search",
    ]
    assert {*drawn, "What it looks at"} <= set(titles(version))
    panels = {panel.title: panel for panel in version_panels(version, "http://x")}
    low, high = version.metrics["intervals"]["test"]["log_loss"]
    row = next(row for row in panels["Metrics"].rows if row[0].startswith("log loss"))
    assert row[2] == f"{low:.4g} to {high:.4g}"
    assert panels["By weekend"].headers[:4] == ("Value", "Rows", "log loss", "95 % interval")
    assert json.loads(panels["ROC"].data)["datasets"][1]["borderDash"]
    page = console.get(reverse("admin:models_store_modelversion_change", args=[version.pk])).content.decode()
    assert "True from" in page
    assert "chosen for f1" in page
    assert page.count("<canvas") >= 4


def test_page_of_a_regression_draws_residuals(dataset: None, console: Client) -> None:
    version = trained("delay", "delays", estimator="ridge")
    found = titles(version)
    assert {"Residuals", "Residuals by prediction"} <= set(found)
    assert not {"ROC", "Calibration", "Confusion"} & set(found)
    assert console.get(reverse("admin:models_store_modelversion_change", args=[version.pk])).status_code == 200


def test_versions_stand_side_by_side_everywhere(dataset: None, console: Client) -> None:
    first = trained("late", "flights", **PLAIN)
    second = trained("late", "flights", **PLAIN, params={"C": 0.01}, class_weight="balanced")
    out = StringIO()
    call_command("experiments", "late", "--json", stdout=out)
    shell = json.loads(out.getvalue())
    answer = Client().get("/api/v1/models/late/experiments", headers=bearer("readonly"))
    assert answer.json() == shell
    newest, oldest = shell["experiments"]
    assert (newest["version"], newest["params"]) == (2, {"C": 0.01, "class_weight": "balanced"})
    # Nobody set it, and it is what the other one differs from; what nobody set anywhere is not shown.
    assert oldest["params"] == {"C": 1.0}
    assert newest["test_rows"] == oldest["test_rows"] != ""
    assert newest["metrics"] == second.metrics["test"]
    assert newest["intervals"] == second.metrics["intervals"]["test"]
    text = StringIO()
    call_command("experiments", "late", stdout=text)
    assert "C 0.01" in text.getvalue()
    page = console.get(reverse("admin:models_store_registeredmodel_experiments", args=[first.model_id]))
    assert page.status_code == 200
    assert [panel.title for panel in page.context["panels"]] == [
        "log loss",
        "Metrics",
        "Parameters in which they differ",
    ]
    model = console.get(reverse("admin:models_store_registeredmodel_change", args=[first.model_id])).content.decode()
    assert reverse("admin:models_store_registeredmodel_experiments", args=[first.model_id]) in model


def test_experiments_of_an_unknown_model_are_refused(dataset: None) -> None:
    with pytest.raises(UnknownModelError):
        call_command("experiments", "nope")
    assert Client().get("/api/v1/models/nope/experiments", headers=bearer("readonly")).status_code == 404


def test_experiments_page_is_for_those_who_may_read(dataset: None, client: Client) -> None:
    version = trained("late", "flights", estimator="dummy")
    client.force_login(User.objects.create_user("eve", is_staff=True))
    address = reverse("admin:models_store_registeredmodel_experiments", args=[version.model_id])
    assert client.get(address).status_code == 403


def test_versions_registered_from_files_can_be_compared_too() -> None:
    bare = Trained(version=1, stage="candidate", estimator="x", params={"source": {}}, metrics={}, snapshot=None)
    (found,) = side_by_side([bare])
    assert (found.params, found.metrics, found.test_rows) == ({}, {}, "")
