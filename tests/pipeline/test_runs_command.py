"""The commands of runs."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from pipeline.actions import runs
from pipeline.errors import RunStateError, UnknownRunError

pytestmark = pytest.mark.django_db(transaction=True)


def called(*arguments: str) -> Any:
    out = StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_runs_are_listed_and_filtered() -> None:
    kept = runs.enqueue_run("noop", {}, actor="system")
    runs.cancel_run(runs.enqueue_run("noop", {}, actor="system").pk, actor="system")
    assert len(called("runs")["runs"]) == 2
    assert [run["id"] for run in called("runs", "--state", "queued", "--kind", "noop")["runs"]] == [str(kept.pk)]
    assert called("runs", "--limit", "0")["runs"] == []


def test_list_is_readable_and_empty_list_says_the_next_command() -> None:
    out = StringIO()
    call_command("runs", stdout=out)
    assert "no runs yet" in out.getvalue()
    run = runs.enqueue_run("noop", {}, actor="system")
    call_command("runs", stdout=out)
    call_command("runs", str(run.pk), stdout=out)
    line = next(line for line in out.getvalue().splitlines() if line.startswith(str(run.pk)))
    assert line.split()[3:] == ["noop", "queued", "0", "%"]
    assert "state: queued" in out.getvalue()


def test_run_is_cancelled_and_retried() -> None:
    run = str(runs.enqueue_run("noop", {}, actor="system").pk)
    assert called("runs", run, "--cancel", "--actor", "user:alice")["error"]["error"] == "cancelled by user:alice"
    assert called("runs", run, "--retry", "--actor", "user:alice")["state"] == "queued"
    with pytest.raises(RunStateError):
        called("runs", run, "--retry")


@pytest.mark.parametrize("text", ["00000000-0000-4000-8000-000000000000", "nonsense"])
def test_unknown_run_is_an_error(text: str) -> None:
    with pytest.raises(UnknownRunError, match="`runs` lists them"):
        called("runs", text)


def test_change_without_a_run_is_wrong_usage() -> None:
    with pytest.raises(CommandError, match="need a run's ID") as caught:
        call_command("runs", "--cancel")
    assert caught.value.returncode == 2


def test_sweep_and_run_due_say_what_they_did() -> None:
    assert called("sweep") == {"requeued": 0, "failed": 0, "rung": 0}
    assert called("run_due") == {"schedules": 0, "started": []}
