"""Outcomes are kept, late and corrected ones too; all of a report or nothing."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from features.ground.errors import DomainError
from models_store.models import AuditEntry
from predictions.actions.forget_predictions import Forgotten, forget_predictions
from predictions.actions.log_predictions import flush_log
from predictions.actions.predict import PredictRequest, predict
from predictions.actions.record_outcomes import OutcomeItem, record_outcomes
from predictions.errors import InvalidRequestError, UnknownPredictionError
from predictions.models import Outcome, Prediction
from tests.predictions.conftest import Configure
from tests.predictions.tiny import ROW, staged

NOW = timezone.now()


@pytest.fixture
def key(serving: None) -> Any:
    staged()
    answer = predict(PredictRequest(principal="cli:test", request_id="r", rows=[ROW, ROW]))
    flush_log()
    return answer.prediction_id


def record(*items: OutcomeItem) -> int:
    return record_outcomes(items, actor="user:alice")


def test_a_correction_stands_beside_the_first_report(key: Any) -> None:
    assert record(OutcomeItem(prediction_id=key, actual="big", observed_at=NOW - timedelta(days=3))) == 1
    assert record(OutcomeItem(prediction_id=key, actual="small")) == 1
    assert [outcome.actual for outcome in Outcome.objects.order_by("known_at")] == ["big", "small"]
    assert Outcome.objects.earliest("known_at").actor == "user:alice"


def test_the_same_report_again_adds_nothing(key: Any) -> None:
    item = OutcomeItem(prediction_id=key, actual="big", row=1, known_at=NOW)
    assert [record(item), record(item)] == [1, 0]


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"actual": "huge"}, InvalidRequestError, "outcome 1: actual must be one of 'big', 'small'; got huge"),
        ({"row": 2}, InvalidRequestError, "outcome 1: the prediction has 2 rows, counted from 0; got row 2"),
        ({"observed_at": NOW + timedelta(days=1)}, InvalidRequestError, "is in the future"),
        ({"row": 0}, InvalidRequestError, "comes twice"),
        ({"prediction_id": uuid4()}, UnknownPredictionError, "is in the log; nothing was recorded"),
    ],
)
def test_one_bad_outcome_keeps_all_out(key: Any, change: dict[str, Any], error: type[DomainError], text: str) -> None:
    good = OutcomeItem(prediction_id=key, actual="big")
    bad = OutcomeItem(**{"prediction_id": key, "actual": "big", "row": 1} | change)
    with pytest.raises(error) as caught:
        record(good, bad)
    assert text in caught.value.message
    assert Outcome.objects.count() == 0


@pytest.mark.parametrize("actual", ["text", True, float("nan"), None])
def test_a_regression_takes_numbers_alone(serving: None, actual: Any) -> None:
    staged(regression=True)
    answer = predict(PredictRequest(principal="cli:test", request_id="r", rows=[ROW]))
    flush_log()
    with pytest.raises(InvalidRequestError, match="actual must be a number"):
        record(OutcomeItem(prediction_id=answer.prediction_id, actual=actual))
    assert record(OutcomeItem(prediction_id=answer.prediction_id, actual=3)) == 1


def test_old_predictions_go_with_their_outcomes(key: Any, configure: Configure) -> None:
    record(OutcomeItem(prediction_id=key, actual="big"))
    later = timezone.now() + timedelta(days=8)
    assert forget_predictions(actor="test", now=later) == ()
    configure(prediction_log__keep_days=7)
    assert forget_predictions(actor="test", now=later - timedelta(days=2)) == ()
    assert forget_predictions(actor="test", now=later, dry_run=True) == (Forgotten(name="rows", rows=1),)
    assert Prediction.objects.exists()
    assert forget_predictions(actor="test", now=later) == (Forgotten(name="rows", rows=1),)
    assert not Prediction.objects.exists()
    assert AuditEntry.objects.filter(action="predictions.prune", actor="test").exists()
