"""Estimators a project registers by a setting."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from pydantic import ValidationError
from sklearn.linear_model import RidgeClassifier

from mlsite.checkup import examine
from mlsite.config import load
from mlsite.config.schema import TrainingConfig
from pipeline.adapters.own_estimators import own_estimators
from pipeline.core.estimators import ESTIMATORS
from pipeline.core.training import train_on
from pipeline.core.training_errors import BadEstimatorSettingError, InvalidParamError, TaskMismatchError
from pipeline.core.training_plan import ESTIMATORS as NAMES
from pipeline.core.training_plan import TrainingPlan
from tests.pipeline.training_data import flights

HERE = "tests.pipeline.test_own_estimators"
NOT_CALLABLE = 3


def failing() -> Any:
    raise ZeroDivisionError("no luck")


def plain_object() -> Any:
    return object()


def without_probabilities() -> Any:
    return RidgeClassifier()


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(**estimators: str) -> None:
        training = TrainingConfig(estimators=estimators)
        monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"training": training}))

    return put


def test_names_that_are_known_without_the_library_are_those_of_the_registry() -> None:
    assert list(NAMES) == list(ESTIMATORS)


def test_own_estimator_is_trained_by_its_name(register: Any) -> None:
    register(bayes="sklearn.naive_bayes:GaussianNB", lasso="sklearn.linear_model:Lasso")
    own = own_estimators()
    assert [(name, entry.tasks) for name, entry in own.items()] == [
        ("bayes", ("classification",)),
        ("lasso", ("regression",)),
    ]
    model = train_on(*flights(), TrainingPlan(estimator="bayes", params={"var_smoothing": 1e-8}), own=own)
    assert model.metrics["test"]["roc_auc"] > 0.8
    assert (model.estimator, model.params["estimator_params"]["var_smoothing"]) == ("bayes", 1e-8)
    with pytest.raises(InvalidParamError, match="bayes has no parameter C to set; allowed: priors, var_smoothing"):
        train_on(*flights(), TrainingPlan(estimator="bayes", params={"C": 1}), own=own)
    with pytest.raises(TaskMismatchError, match="lasso does regression, and the target needs"):
        train_on(*flights(target="how_late"), TrainingPlan(estimator="lasso"), own=own)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("no_such_module:Thing", "importing it raised ModuleNotFoundError: No module named 'no_such_module'"),
        ("sklearn.naive_bayes:Gauss", "importing it raised AttributeError"),
        (f"{HERE}:NOT_CALLABLE", "it is a int, and must be callable without arguments"),
        (f"{HERE}:failing", "calling it raised ZeroDivisionError: no luck"),
        (f"{HERE}:plain_object", "it gives a object without fit, predict, get_params, set_params"),
        (f"{HERE}:without_probabilities", "RidgeClassifier has no predict_proba; wrap it in CalibratedClassifierCV"),
        ("sklearn.cluster:KMeans", "KMeans is neither a classifier nor a regressor"),
    ],
)
def test_what_is_no_estimator_is_refused_with_its_name_and_why(register: Any, path: str, text: str) -> None:
    register(mine=path)
    with pytest.raises(
        BadEstimatorSettingError, match=r"training\.estimators: mine must be package\.module:factory"
    ) as e:
        own_estimators()
    assert text in e.value.message


@pytest.mark.parametrize("name", ["ridge", "knn"])
def test_built_in_name_can_not_be_taken(register: Any, name: str) -> None:
    register(**{name: "sklearn.naive_bayes:GaussianNB"})
    with pytest.raises(BadEstimatorSettingError, match="the name is taken by a built-in estimator"):
        own_estimators()


def test_worker_does_not_start_with_a_wrong_one(register: Any) -> None:
    register(mine=f"{HERE}:failing")
    with pytest.raises(BadEstimatorSettingError, match="mine"):
        call_command("worker")


@pytest.mark.django_db
def test_doctor_makes_them(register: Any, var_dir: Path) -> None:
    register(mine=f"{HERE}:failing")
    found = {check.name: check for check in examine()}["estimators"]
    assert not found.ok
    assert "mine" in found.detail


def test_setting_is_written_as_a_mapping_or_as_pairs(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("training: {estimators: {bayes: 'sklearn.naive_bayes:GaussianNB', other: 'a.b:c'}}\n")
    pairs = ["bayes=sklearn.naive_bayes:GaussianNB", "other=a.b:c"]
    assert load({"CONFIG_PATH": str(file)}).training.estimators == pairs
    assert load({"TRAINING__ESTIMATORS": ",".join(pairs)}).training.estimators == pairs


@pytest.mark.parametrize("estimators", [{"Bayes": "a:b"}, {"b": "a.b"}, {"b": "../a:b"}, ["b=a:b", "b=c:d"]])
def test_setting_of_another_form_is_refused(estimators: Any) -> None:
    with pytest.raises(ValidationError, match=r"must be NAME: package\.module:factory"):
        TrainingConfig(estimators=estimators)
