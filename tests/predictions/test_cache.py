"""The cache answers the same bytes again, and another version never from it."""

import numpy as np
import pytest
from prometheus_client import REGISTRY

from predictions import engine
from predictions.actions.log_predictions import flush_log
from predictions.actions.predict import PredictAnswer, PredictRequest, predict
from predictions.adapters.cache import MAX_KEY_BYTES, PredictionCache
from predictions.core.scored import Scored
from predictions.models import Prediction
from tests.predictions.conftest import Configure
from tests.predictions.tiny import staged

BODY = b'{"data": [[4.0, 1.5, "red"]]}'
SCORED = Scored({"a": np.array([1.0])}, [1], None, ())


def ask(body: bytes = BODY) -> PredictAnswer:
    return predict(PredictRequest(principal="cli:test", request_id="r", body=body))


def hits() -> float:
    return REGISTRY.get_sample_value("prediction_cache_hits_total", {"model": "tiny"}) or 0.0


def test_the_same_bytes_are_answered_from_the_cache_and_logged_anew(serving: None) -> None:
    staged()
    before = hits()
    first, second = ask(), ask()
    assert hits() == before + 1
    assert first.probabilities == second.probabilities
    assert first.prediction_id != second.prediction_id
    flush_log()
    assert Prediction.objects.count() == 2


def test_another_version_answers_anew(serving: None) -> None:
    staged()
    before = ask()
    staged(seed=2)
    engine.refresh()
    assert ask().probabilities != before.probabilities


def test_the_cache_can_be_off(serving: None, configure: Configure) -> None:
    configure(model__cache_size=0)
    staged()
    before = hits()
    ask(), ask()
    assert hits() == before


@pytest.mark.parametrize("key", [b"x" * (MAX_KEY_BYTES + 1)])
def test_long_bodies_are_not_kept(key: bytes) -> None:
    cache = PredictionCache(2)
    cache.put(key, SCORED)
    assert len(cache) == 0


def test_the_one_asked_for_longest_ago_goes_first() -> None:
    cache = PredictionCache(2)
    cache.put(b"1", SCORED)
    cache.put(b"2", SCORED)
    assert cache.get(b"1")
    cache.put(b"3", SCORED)
    assert cache.get(b"2") is None
    assert cache.get(b"1")
    assert cache.get(b"3")
