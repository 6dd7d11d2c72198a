"""The bell: what is rung, and what answers it."""

import base64
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from django_celery_beat.models import PeriodicTask

from mlsite.broker import Channel
from pipeline import tasks
from pipeline.actions import runs
from pipeline.actions.alerts import raise_alert
from pipeline.actions.schedules import set_schedule
from pipeline.adapters.clock import from_now
from pipeline.models import Run
from tests.pipeline.test_schedules import started_yesterday

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def queue() -> Path:
    """Return the folder of the broker, emptied."""
    folder = Path(current_app.conf.broker_transport_options["data_folder_in"])
    for file in folder.iterdir():
        file.unlink()
    return folder


def messages(queue: Path) -> list[tuple[str, str, list[Any]]]:
    """Return queue, task and arguments of every message that lies there."""
    found = []
    for file in sorted(queue.iterdir()):
        message = json.loads(file.read_text())
        arguments, *_ = json.loads(base64.b64decode(message["body"]))
        found.append((file.name.split(".")[-2], message["headers"]["task"], arguments))
    return found


def test_enqueued_run_is_rung_for_with_its_id_alone(queue: Path) -> None:
    run = runs.enqueue_run("noop", {"secret": "x"}, actor="system")
    training = runs.enqueue_run("train", {}, actor="system")
    assert messages(queue) == [
        ("default", "pipeline.execute_run", [str(run.pk)]),
        ("training", "pipeline.execute_run", [str(training.pk)]),
    ]


def test_opened_alert_rings_for_its_delivery_once(queue: Path) -> None:
    raise_alert("k", "t")
    raise_alert("k", "t")
    assert messages(queue) == [("default", "pipeline.deliver_alerts", [])]


def test_run_is_kept_when_the_queue_cannot_be_reached(queue: Path, caplog: pytest.LogCaptureFixture) -> None:
    away = queue.rename(queue.with_name("away"))
    try:
        run = runs.enqueue_run("noop", {}, actor="system")
    finally:
        away.rename(queue)
    assert Run.objects.get(pk=run.pk).state == "queued"
    assert "waits for the sweeper" in caplog.text
    Run.objects.update(enqueued_at=from_now(-61))
    tasks.sweep()
    assert messages(queue) == [("default", "pipeline.execute_run", [str(run.pk)])]


def test_task_executes_the_run_it_is_given() -> None:
    run = runs.enqueue_run("noop", {}, actor="system")
    tasks.execute_run(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.progress, run.step) == ("succeeded", 100, "")
    tasks.execute_run(str(uuid4()))


def test_due_tasks_start_the_same_slot_once() -> None:
    set_schedule("s", "noop", {}, every_s=3600, actor="user:ann")
    started_yesterday("s")
    kwargs = json.loads(PeriodicTask.objects.get(name="s").kwargs)
    tasks.run_due()
    tasks.start_run(**kwargs)
    assert Run.objects.count() == 1


def test_worker_that_starts_sweeps_first() -> None:
    run = runs.claim_run(runs.enqueue_run("noop", {}, actor="system").pk, worker="dead:1")
    assert run is not None
    Run.objects.update(lease_until=from_now(-1))
    tasks.sweep_at_start()
    run.refresh_from_db()
    assert run.state == "queued"


def test_alerts_are_delivered_by_a_task() -> None:
    tasks.deliver_alerts()


def test_every_task_is_registered_by_name() -> None:
    names = {name for name in current_app.tasks if name.startswith("pipeline.")}
    bells = ("execute_run", "sweep", "run_due", "start_run")
    chores = ("deliver_alerts", "deliver_events", "apply_due", "checkpoint_audit", "guard_canaries", "keep_partitions")
    assert names == {f"pipeline.{name}" for name in (*bells, *chores)}


def test_folder_broker_gives_each_message_to_one_consumer(queue: Path) -> None:
    with current_app.connection_for_write() as connection:
        channels = [connection.channel() for _ in range(2)]
        assert all(isinstance(channel, Channel) for channel in channels)
        for number in range(20):
            channels[0]._put("q", {"n": number})
        channels[0]._put("other.q", {"n": "of another queue"})
        taken = [channels[number % 2]._get("q")["n"] for number in range(20)]
        assert taken == list(range(20))
        assert not list(Path(channels[0].processed_folder).iterdir())
