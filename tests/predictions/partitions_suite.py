"""The prediction log by days; run on PostgreSQL by test_partitions.py, for SQLite has no partitions."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from models_store.models import AuditEntry
from pipeline.actions.answer_messages import written
from pipeline.core.streaming import Message
from predictions.actions.forget_predictions import forget_predictions
from predictions.actions.keep_partitions import AHEAD_DAYS, keep_partitions
from predictions.actions.write_predictions import write_predictions
from predictions.adapters.partitions import REST, TABLE, DayPartition, day_partitions, drop_partition
from predictions.core.log_row import LogRow
from predictions.models import Outcome, Prediction, StreamPosition
from tests.predictions.conftest import Configure
from tests.predictions.tiny import register

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2031, 5, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _days(serving: None) -> Iterator[None]:
    """Leave the days as they were found: emptying the tables leaves partitions."""
    before = day_partitions()
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE predictions_outcome, predictions_prediction")
    with transaction.atomic():
        for day in set(day_partitions()) - set(before):
            drop_partition(day)


@pytest.fixture
def version() -> int:
    return register().pk


def row(version: int, at: datetime, **changed: Any) -> LogRow:
    values = {
        "id": uuid4(), "request_id": "r", "model_version": version, "generation": 1, "role": "production",
        "principal": "user:a", "entity_keys": "[]", "columns": "[]", "inputs": "[[1]]",
        "outputs": '{"predictions": [1.0]}',
        "snapshots": "{}", "route": "{}", "fallback": "", "rows": 1, "latency_ms": 1.0, "at": at, "source": "api",
    }  # fmt: skip
    return LogRow(**{**values, **changed})


def test_no_index_is_kept_that_another_serves_for() -> None:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, TABLE).values()
    indexed = [each["columns"] for each in found if each["index"]]
    assert ["model_version_id", "at"] in indexed
    assert ["model_version_id"] not in indexed
    assert ["model_version_id"] in [each["columns"] for each in found if each["foreign_key"]]


def rows_in(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


def days(year: int = 2031) -> list[DayPartition]:
    return [day for day in day_partitions() if day.day.year == year]


def reported(key: UUID) -> Outcome:
    now = timezone.now()
    return Outcome.objects.create(prediction_id=key, actual=1, observed_at=now, known_at=now, actor="test")


def test_migration_makes_the_days_to_come_and_the_chore_keeps_them() -> None:
    today = timezone.now().date()
    assert {day.day for day in day_partitions()} >= {today + timedelta(days=n) for n in range(AHEAD_DAYS + 1)}
    assert keep_partitions() == ()
    assert len(keep_partitions(now=NOON)) == AHEAD_DAYS + 1
    assert [day.day.day for day in days()] == list(range(10, 18))
    assert keep_partitions(now=NOON) == ()
    assert keep_partitions(now=NOON + DAY) == (f"{TABLE}_20310518",)


def test_each_row_lies_in_its_day_and_none_is_lost_for_the_lack_of_one(version: int) -> None:
    keep_partitions(now=NOON)
    midnight = NOON.replace(hour=0)
    write_predictions([row(version, at) for at in (midnight - timedelta(microseconds=1), midnight, NOON, NOON + DAY)])
    assert [rows_in(f"{TABLE}_2031051{n}") for n in (0, 1)] == [2, 1]
    assert rows_in(REST) == 1
    # That day can't have one of its own any more; the next ones can.
    assert len(keep_partitions(now=NOON - DAY)) == 0
    assert Prediction.objects.count() == 4


def test_what_comes_again_is_written_once(version: int) -> None:
    keep_partitions(now=NOON)
    rows = [row(version, NOON), row(version, NOON - 3 * DAY)]
    write_predictions(rows)
    write_predictions(rows)
    assert Prediction.objects.count() == 2


def test_days_go_whole_with_their_outcomes_and_positions(version: int, configure: Configure) -> None:
    configure(prediction_log__keep_days=2)
    keep_partitions(now=NOON)
    rows = [row(version, NOON + n * DAY) for n in (-30, 0, 0, 1, 2)]
    write_predictions(rows)
    for n, entry in enumerate(rows):
        StreamPosition.objects.create(prediction_id=entry.id, topic="t", partition=0, offset=n, at=entry.at)
        reported(entry.id)
    now = NOON + 3 * DAY
    found = forget_predictions(actor="test", now=now, dry_run=True)
    assert [(part.name, part.rows) for part in found if part.rows] == [(f"{TABLE}_20310510", 2), ("rows", 1)]
    assert all(part.bytes > 0 for part in found[:-1])
    assert Prediction.objects.count() == Outcome.objects.count() == 5
    assert forget_predictions(actor="test", now=now) == found
    assert forget_predictions(actor="test", now=now) == ()
    left = {entry.id for entry in rows[3:]}
    assert set(Prediction.objects.values_list("pk", flat=True)) == left
    assert set(Outcome.objects.values_list("prediction_id", flat=True)) == left
    assert set(StreamPosition.objects.values_list("pk", flat=True)) == left
    assert days()[0].day.day == 11
    entry = AuditEntry.objects.get(action="predictions.prune")
    assert f"{TABLE}_20310510" in {part["name"] for part in entry.after["predictions"]}
    # The days of now went too, for they are older.
    keep_partitions()


def test_prune_names_the_partitions_that_would_go(
    version: int, configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(prediction_log__keep_days=1)
    past = NOON.replace(year=2021)
    keep_partitions(now=past)
    write_predictions([row(version, past)])
    call_command("prune", "--dry-run", "--json")
    found = json.loads(capsys.readouterr().out)
    named = {item["name"]: item["bytes"] for item in found["removed"] if item["kind"] == "predictions"}
    assert next(iter(named)) == f"{TABLE}_20210510, 1 predictions"
    assert len(named) == AHEAD_DAYS + 1
    assert found["bytes"] >= sum(named.values()) > 0
    assert len(days(2021)) == AHEAD_DAYS + 1


def test_an_outcome_needs_its_prediction(version: int) -> None:
    entry = row(version, NOON)
    write_predictions([entry])
    outcome = reported(entry.id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT prediction_at FROM predictions_outcome WHERE id = %s", [outcome.pk])
        assert cursor.fetchone() == (NOON,)
    with pytest.raises(IntegrityError):
        reported(uuid4())
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute("DELETE FROM predictions_prediction WHERE id = %s", [entry.id])
    Prediction.objects.filter(pk=entry.id).delete()
    assert not Outcome.objects.exists()


def test_a_day_that_is_referred_to_does_not_go(version: int) -> None:
    keep_partitions(now=NOON)
    entry = row(version, NOON)
    write_predictions([entry])
    reported(entry.id)
    with pytest.raises(IntegrityError), transaction.atomic():
        drop_partition(days()[0])
    assert Prediction.objects.filter(pk=entry.id).exists()


def test_a_message_that_comes_twice_at_once_is_one_prediction(version: int) -> None:
    keep_partitions(now=NOON)

    def write(number: int) -> int:
        """Write the same messages as others do, each at a time of its own, some of them on another day."""
        messages = [Message(topic="t", partition=0, offset=offset, value=b"") for offset in range(200)]
        rows = [
            Prediction(
                id=message.prediction_id, request_id="r", model_version_id=version, role="production", latency_ms=1.0,
                principal="stream", inputs=[[message.offset]], outputs={"predictions": [number]}, source="stream",
                at=NOON + number * DAY / 4 + timedelta(seconds=message.offset), topic="t", partition=0,
                offset=message.offset,
            )
            for message in messages
        ]  # fmt: skip
        try:
            return len(
                {row.outputs["predictions"][0] for row in written(list(zip(messages, rows, strict=True))).values()}
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(write, range(6)))
    assert Prediction.objects.count() == StreamPosition.objects.count() == 200
    assert dict(Prediction.objects.values_list("pk", "at")) == dict(StreamPosition.objects.values_list("pk", "at"))
