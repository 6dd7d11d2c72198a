"""What a run said: a bounded tail beside its progress, kept whatever becomes of it."""

from datetime import UTC, datetime

import pytest

from pipeline.actions import runs
from pipeline.adapters.run_reads import run_with_log
from pipeline.core.run_log import MOST_CHARACTERS, MOST_LINES, RunLog
from pipeline.models import Run
from tests.pipeline.conftest import SetHandler

AT = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)


def said(run: Run) -> list[str]:
    run.refresh_from_db()
    return [line.partition(" ")[2] for line in run.log.splitlines()]


def test_tail_is_bounded_and_says_a_thing_once() -> None:
    log = RunLog("09:00:00 before")
    for line in ("fitting\n\nmore", "fitting\n\nmore", "x" * 1000):
        log.add(AT, line)
    assert log.text().splitlines() == ["09:00:00 before", "09:30:00 fitting more", f"09:30:00 {'x' * MOST_CHARACTERS}"]
    for at in range(2 * MOST_LINES):
        log.add(AT, f"step {at}")
    lines = log.text().splitlines()
    assert (len(lines), lines[-1]) == (MOST_LINES, f"09:30:00 step {2 * MOST_LINES - 1}")


@pytest.mark.django_db(transaction=True)
def test_run_keeps_its_steps_and_what_was_logged_below_it(handler: SetHandler) -> None:
    handler("talk")
    run = runs.run_inline("noop", {}, actor="cli:ada")
    assert said(run)[1:] == ["reading", "warning: slow disk, token=[secret]", "writing", "done"]
    assert said(run)[0].startswith("attempt 1, worker ")
    assert run_with_log(run)["log"] == run.log.splitlines()


@pytest.mark.django_db(transaction=True)
def test_what_others_log_meanwhile_is_not_kept(handler: SetHandler) -> None:
    handler("talk_of_another")
    assert "of another run" not in runs.run_inline("noop", {}, actor="cli:ada").log


@pytest.mark.django_db(transaction=True)
def test_failed_run_says_why_last_and_a_retry_goes_on_below(handler: SetHandler) -> None:
    handler("refuse")
    run = runs.enqueue_run("noop", {}, actor="user:ada")
    runs.execute_run(run.pk, worker="here:1")
    assert said(run)[-1] == "no_thanks: not today: try tomorrow"
    runs.retry_run(run.pk, actor="user:ada")
    handler("talk_of_another")
    runs.execute_run(run.pk, worker="here:2")
    assert said(run) == [
        "attempt 1, worker here:1",
        "no_thanks: not today: try tomorrow",
        "attempt 1, worker here:2",
        "done",
    ]
