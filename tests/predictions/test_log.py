"""Every answer is logged or counted as shed; the shadow's stands beside the live one."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.conf import settings
from django.db import IntegrityError, OperationalError
from prometheus_client import REGISTRY

from predictions import engine
from predictions.actions.log_predictions import flush_log, log
from predictions.actions.predict import PredictAnswer, PredictRequest, predict
from predictions.actions.score_shadow import shadow_queue
from predictions.actions.write_predictions import write_predictions
from predictions.adapters.log_buffer import LogBuffer
from predictions.core.log_entry import LogEntry
from predictions.errors import InvalidRequestError
from predictions.models import Prediction
from tests.predictions.conftest import Configure
from tests.predictions.tiny import ROW, register, staged


def ask(rows: Any = None, **options: Any) -> PredictAnswer:
    return predict(PredictRequest(principal="cli:test", request_id="r-1", rows=rows or [ROW], **options))


def entry(version_id: int = 1, rows: int = 1) -> LogEntry:
    return LogEntry(
        id=uuid4(),
        request_id="r",
        version_id=version_id,
        model="tiny",
        generation=1,
        role="production",
        principal="cli:test",
        entity_keys=(),
        frame={"a": np.array([1.0] * rows)},
        predictions=[1] * rows,
        probabilities=None,
        latency_ms=1.0,
        at=datetime.now(UTC),
        source="cli",
    )


def count(name: str) -> float:
    return REGISTRY.get_sample_value(f"prediction_log_{name}_total") or 0.0


def shed() -> float:
    return count("shed")


def test_an_answer_is_logged_as_it_was_scored(serving: None) -> None:
    version = staged()
    answer = ask([[4.0, None, "red"]], source="cli")
    flush_log()
    row = Prediction.objects.get(pk=answer.prediction_id)
    assert row.inputs == [[4.0, None, "red"]]
    assert row.columns == ["length", "width", "colour"]
    assert row.outputs == {"predictions": answer.predictions, "probabilities": answer.probabilities}
    assert (row.role, row.source, row.request_id, row.rows) == ("production", "cli", "r-1", 1)
    assert row.model_version_id == version.pk
    assert row.generation == 1


def test_the_thread_writes_without_being_asked(serving: None, configure: Configure) -> None:
    configure(prediction_log__flush_seconds=0.01)
    staged()
    answer = ask()
    log.close()
    assert Prediction.objects.filter(pk=answer.prediction_id).exists()


def test_a_refused_request_is_not_logged(serving: None) -> None:
    staged()
    with pytest.raises(InvalidRequestError):
        ask([[1]])
    assert len(log) == 0


def test_the_shadow_answers_beside_and_both_are_logged(serving: None) -> None:
    staged()
    staged("shadow", seed=2)
    answer = ask()
    shadow_queue.close()
    flush_log()
    rows = {row.role: row for row in Prediction.objects.select_related("model_version")}
    assert rows.keys() == {"production", "shadow"}
    assert rows["production"].pk == answer.prediction_id
    assert rows["shadow"].request_id == rows["production"].request_id
    assert rows["shadow"].model_version.number == 2
    assert rows["shadow"].inputs == rows["production"].inputs
    assert rows["shadow"].outputs != rows["production"].outputs


def test_a_shadow_without_an_answer_changes_nothing(serving: None, monkeypatch: pytest.MonkeyPatch) -> None:
    staged()
    staged("shadow", seed=2)
    shadow = engine.serving("tiny").shadow
    assert shadow is not None
    monkeypatch.setattr(shadow.plan, "_known", frozenset({"other"}))
    assert ask().role == "production"
    shadow_queue.close()
    flush_log()
    assert Prediction.objects.count() == 1
    assert REGISTRY.get_sample_value("shadow_errors_total", {"model": "tiny"}) == 1


def test_a_full_shadow_queue_drops_and_counts(serving: None, monkeypatch: pytest.MonkeyPatch) -> None:
    staged()
    staged("shadow", seed=2)
    monkeypatch.setattr(shadow_queue, "_size", lambda: 0)
    before = REGISTRY.get_sample_value("shadow_dropped_total", {"model": "tiny"}) or 0.0
    assert ask().role == "production"
    assert REGISTRY.get_sample_value("shadow_dropped_total", {"model": "tiny"}) == before + 1


def test_only_a_share_of_answers_is_kept_where_asked(serving: None, configure: Configure) -> None:
    configure(prediction_log__sample=0.5, prediction_log__flush_seconds=1000.0)
    staged()
    before = count("accepted"), count("unsampled")
    for _ in range(200):
        ask()
    kept, left = count("accepted") - before[0], count("unsampled") - before[1]
    assert kept + left == 200
    assert 60 < kept < 140
    flush_log()
    assert Prediction.objects.count() == kept


def test_personal_columns_are_not_kept(serving: None, configure: Configure) -> None:
    configure(prediction_log__redact=["length", "colour"])
    staged()
    ask([[4.0, 1.5, "red"], [5.0, None, "red"]])
    flush_log()
    row = Prediction.objects.get()
    assert (row.columns, row.inputs) == (["width"], [[1.5], [None]])


def test_a_log_that_is_off_takes_nothing(configure: Configure) -> None:
    configure(prediction_log__enabled=False)
    buffer = LogBuffer(len, len)
    assert not buffer.offer(entry())
    assert len(buffer) == 0


@pytest.mark.django_db
def test_entries_wait_while_the_database_is_away(configure: Configure) -> None:
    configure(prediction_log__flush_seconds=1000.0)
    written: list[LogEntry] = []
    away = [True]

    def write(entries: list[LogEntry]) -> int:
        if away[0]:
            raise OperationalError("database is locked")
        written.extend(entries)
        return len(entries)

    buffer = LogBuffer(write, len)
    entries = [entry() for _ in range(3)]
    for one in entries:
        buffer.offer(one)
    with pytest.raises(OperationalError):
        buffer.flush()
    assert len(buffer) == 3
    away[0] = False
    buffer.close()
    assert written == entries


def test_a_batch_that_can_never_be_stored_is_shed(serving: None) -> None:
    before = shed()
    log.offer(entry(version_id=987_654))
    flush_log()
    assert shed() == before + 1
    assert len(log) == 0


def test_a_faulty_entry_costs_no_other(serving: None) -> None:
    version, before = register(), shed()
    entries = [entry(version.pk), entry(version_id=987_654), entry(version.pk), entry(version.pk)]
    for one in entries:
        log.offer(one)
    flush_log()
    assert shed() == before + 1
    assert Prediction.objects.count() == 3


@pytest.mark.django_db
def test_every_entry_is_counted_whatever_goes_wrong(configure: Configure) -> None:
    configure(prediction_log__flush_seconds=1000.0)
    written: list[LogEntry] = []

    def write(entries: list[LogEntry]) -> int:
        if any(one.principal == "odd" for one in entries):
            raise ValueError("not to be written")
        written.extend(entries)
        return len(entries)

    buffer, before = LogBuffer(write, len), shed()
    entries = [entry(), replace(entry(), principal="odd"), entry()]
    for one in entries:
        buffer.offer(one)
    buffer.flush()
    assert written == [entries[0], entries[2]]
    assert shed() == before + 1


@pytest.mark.django_db
def test_entries_keep_their_order_when_the_database_goes_in_the_middle(configure: Configure) -> None:
    configure(prediction_log__flush_seconds=1000.0)
    written: list[LogEntry] = []
    answers: list[Exception | None] = [IntegrityError("one of them"), None, OperationalError("gone"), None]

    def write(entries: list[LogEntry]) -> int:
        if (fault := answers.pop(0)) is not None:
            raise fault
        written.extend(entries)
        return len(entries)

    buffer, entries = LogBuffer(write, len), [entry() for _ in range(5)]
    for one in entries:
        buffer.offer(one)
    with pytest.raises(OperationalError):
        buffer.flush()
    assert len(buffer) == 3
    buffer.flush()
    assert written == entries


def test_as_many_rows_are_written_as_were_given(serving: None, monkeypatch: pytest.MonkeyPatch) -> None:
    version = register()
    monkeypatch.setattr("predictions.actions.write_predictions.MOST_PARAMS", 50)
    assert write_predictions([entry(version.pk).row() for _ in range(7)]) == 7
    assert Prediction.objects.count() == 7


def test_a_batch_that_comes_twice_is_stored_once(serving: None) -> None:
    version = register()
    one = entry(version.pk)
    for _ in range(2):
        log.offer(one)
        flush_log()
    assert Prediction.objects.count() == 1


def test_feature_means_follow_the_log(serving: None) -> None:
    staged()
    ask([[4.0, 1.0, "red"], [6.0, None, "red"]])
    flush_log()
    assert REGISTRY.get_sample_value("feature_mean_value", {"model": "tiny", "feature": "length"}) == 5.0


@pytest.mark.parametrize("ending", ["", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"])
def test_what_waits_is_written_when_the_process_ends(serving: None, ending: str) -> None:
    staged()
    script = (
        "import os, django; django.setup()\n"
        "from django.conf import settings\n"
        "from predictions.actions.predict import PredictRequest, predict\n"
        "config = settings.CONFIG\n"
        "slow = config.prediction_log.model_copy(update={'flush_seconds': 1000.0})\n"
        "settings.CONFIG = config.model_copy(update={'prediction_log': slow})\n"
        f"predict(PredictRequest(principal='cli:t', request_id='r', rows=[{json.dumps(ROW)}]))\n"
        f"{ending}\n"
    )
    environ = {**os.environ, "VAR_DIR": str(settings.VAR_DIR), "DJANGO_SETTINGS_MODULE": "mlsite.settings"}
    environ["DATABASE_URL"] = f"sqlite:///{settings.DATABASES['default']['NAME']}"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, cwd=settings.BASE_DIR, capture_output=True, timeout=60, check=False
    )
    assert Prediction.objects.count() == 1, done.stderr.decode()
