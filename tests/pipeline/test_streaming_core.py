"""Messages, read and answered without a stream."""

import json
import logging

import numpy as np
import pytest

from pipeline.actions.answer_messages import answer_messages
from pipeline.adapters.scored import score_many
from pipeline.core.streaming import MAX_DEAD_BYTES, Message, decode
from predictions import engine
from predictions.adapters.runtime import Columns, OnnxRuntime, Scores
from predictions.errors import ScoringError
from predictions.models import Prediction
from tests.pipeline.served_model import flights, production


def message(value: bytes | None, *, key: bytes | None = None, offset: int = 0) -> Message:
    """Return a message at a position."""
    return Message(topic="t", partition=0, offset=offset, value=value, key=key)


def test_tombstone_is_a_dead_letter_with_its_key() -> None:
    letter = json.loads(decode([message(None, key=b"\xffk")]).dead[0].body)
    assert "tombstone" in letter["error"]
    assert (letter["value"], letter["key"]) == (None, "\ufffdk")


def test_own_key_of_a_message_counts_where_none_is_given() -> None:
    found = decode([message(b'{"a": 1}', key=b"k\x00"), message(b'{"features": [1], "key": "x"}', key=b"k")]).requests
    assert [request.key for request in found] == ["k\ufffd", "x"]


def test_column_may_be_called_features() -> None:
    assert decode([message(b'{"features": 1, "key": 2}')]).requests[0].row == {"features": 1, "key": 2}


def test_large_value_is_cut_in_its_dead_letter() -> None:
    letter = json.loads(decode([message(b"x" * (MAX_DEAD_BYTES + 1))]).dead[0].body)
    assert letter["cut"] is True
    assert len(letter["value"]) == MAX_DEAD_BYTES


def test_position_decides_the_prediction_id() -> None:
    assert message(b"a").prediction_id == message(b"b").prediction_id != message(b"a", offset=1).prediction_id


@pytest.mark.django_db(transaction=True)
def test_regression_is_answered_without_probabilities(folder: object) -> None:
    production("minutes", regression=True)
    body = json.loads(answer_messages("minutes", [message(b'{"features": [5, 100, "AA"]}')], actor="cli:t")[0].body)
    assert "probabilities" not in body
    assert isinstance(body["prediction"], float)


@pytest.mark.django_db(transaction=True)
def test_other_message_at_a_known_position_is_answered_anew_and_told(
    folder: object, caplog: pytest.LogCaptureFixture
) -> None:
    answer_messages("late", [message(b'{"features": [500, 100, "AA"]}')], actor="cli:t")
    with caplog.at_level(logging.WARNING):
        found = answer_messages("late", [message(b'{"features": [-50, 100, "AA"]}')], actor="cli:t")
    assert json.loads(found[0].body)["prediction"] == "on time"
    assert "holds another message at" in caplog.text
    assert Prediction.objects.get().outputs["predictions"] == ["late"]


@pytest.mark.django_db(transaction=True)
def test_rows_the_model_refuses_are_found_among_the_others(folder: object, monkeypatch: pytest.MonkeyPatch) -> None:
    real = OnnxRuntime.score

    def refusing(self: OnnxRuntime, frame: Columns) -> Scores:
        if (frame["delay"] > 999).any():
            raise ScoringError("no answer for this delay")
        return real(self, frame)

    monkeypatch.setattr(OnnxRuntime, "score", refusing)
    frame = flights(9)
    frame.loc[[2, 7], "delay"] = 1000.0
    columns = {name: frame[name].to_numpy() for name in frame}
    found = score_many(engine.serving("late").production, columns)  # type: ignore[arg-type]  # it is loaded
    assert found.failed == {2: "no answer for this delay", 7: "no answer for this delay"}
    assert found.places == [0, 1, 3, 4, 5, 6, 8]
    assert len(found.predictions) == len(found.probabilities or ()) == 7
    assert np.isclose(np.sum(found.probabilities), 7)
