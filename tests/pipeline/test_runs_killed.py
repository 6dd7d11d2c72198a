"""A worker that is killed: real processes, real signals."""

import time
from pathlib import Path

import pytest

from pipeline.actions import runs
from pipeline.models import Run
from tests.pipeline.jobs import start_child

pytestmark = pytest.mark.django_db(transaction=True)


def test_run_of_a_killed_worker_is_done_once_by_the_next(tmp_path: Path) -> None:
    effects, begun = tmp_path / "effects", tmp_path / "begun"
    run = runs.enqueue_run("noop", {"file": str(effects), "begun": str(begun)}, actor="system")
    victim = start_child(run.pk, "hang_then_mark", JOBS__LEASE_SECONDS="2", JOBS__HEARTBEAT_SECONDS="0.5")
    wait_for(begun.exists)
    victim.kill()
    victim.communicate()
    assert Run.objects.get(pk=run.pk).state == "running"

    wait_for(lambda: runs.sweep_runs().requeued == 1)
    heirs = [start_child(run.pk, "mark") for _ in range(2)]
    said = sorted(heir.communicate(timeout=60)[0].split()[-1] for heir in heirs)

    assert said == ["none", "succeeded"]
    run.refresh_from_db()
    assert (run.state, run.attempt, run.token) == ("succeeded", 2, 3)
    assert len(effects.read_text().split()) == 1


def wait_for(happened: object, seconds: float = 60) -> None:
    assert callable(happened)
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
