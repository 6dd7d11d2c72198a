"""An upload killed at each write leaves no run without its file and no file for ever; sent again, it is done."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from features.actions.prune import prune
from features.models import Dataset
from pipeline.actions.ingest_upload import sweep_uploads
from pipeline.actions.runs import execute_run, sweep_runs
from pipeline.adapters.uploads import upload_path
from pipeline.models import Run
from tests.faults import kill_everywhere
from tests.pipeline.upload_steps import stored, upload_by_api, upload_by_console

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),  # some dozens of processes each
]
LONG_AGO = timedelta(days=2)


def of_its_own(n: int) -> dict[str, Any]:
    """Return a dataset's name and a file's bytes, which no other run of the victim has."""
    return {"dataset": f"d{n}", "body": b"k,x\n" + b"".join(b"%d,%d\n" % (n, x) for x in range(50))}


def become_old(folder: Path) -> None:
    for path in folder.rglob("*"):
        os.utime(path, times=((timezone.now() - LONG_AGO).timestamp(),) * 2)


@pytest.mark.parametrize("upload", [upload_by_api, upload_by_console])
def test_upload_killed_at_each_write_is_queued_with_its_file_or_not_there(var_dir: Path, upload: Any) -> None:
    states, seen = set(), set()
    for kill in kill_everywhere(f"{upload.__module__}.{upload.__name__}", of_its_own, preload=("mlsite.urls",)):
        asked = of_its_own(kill.n)
        queued = list(Run.objects.filter(params__dataset=asked["dataset"]))
        for run in queued:
            assert upload_path(run.params["upload"]).read_bytes() == asked["body"], kill
        states.add(len(queued))
        seen.add(kill.at.split("-")[0])
        upload(**asked)
        runs = list(Run.objects.filter(params__dataset=asked["dataset"]))
        # With a key both are one run; from the page they may be two, of the same bytes.
        assert len(runs) == (1 if upload is upload_by_api else len(queued) + 1), kill
        for run in runs:
            ended = execute_run(run.pk, worker="test")
            assert ended is not None
            assert (ended.state, ended.result["rows_valid"]) == ("succeeded", 50), kill
        assert Dataset.objects.get(name=asked["dataset"]).versions.count() == 1, kill
        become_old(var_dir / "uploads")
        sweep_uploads()
        assert stored(var_dir) == [], kill
    assert states == {0, 1}
    assert seen >= {
        "open /uploads/.arriving",
        "os.rename /uploads/.arriving",
        'INSERT INTO "pipeline_run"',
        "committed",
    }


def test_run_of_an_upload_killed_at_each_write_is_done_by_the_next_worker(var_dir: Path) -> None:
    def prepare(n: int) -> Mapping[str, Any]:
        upload_by_api(**of_its_own(n))
        return {"run_id": Run.objects.get(params__dataset=f"d{n}").pk, "worker": "victim"}

    for kill in kill_everywhere("pipeline.actions.runs.execute_run", prepare, preload=("pipeline.handlers_data",)):
        run = Run.objects.get(params__dataset=f"d{kill.n}")
        if run.state != "succeeded":
            Run.objects.filter(pk=run.pk, state="running").update(lease_until=timezone.now() - LONG_AGO)
            sweep_runs()
            ended = execute_run(run.pk, worker="heir")
            assert ended is not None
            assert (ended.state, ended.result["rows_valid"]) == ("succeeded", 50), kill
        assert Dataset.objects.get(name=f"d{kill.n}").versions.get().rows_total == 50, kill
        become_old(var_dir)
        sweep_uploads()
        prune(actor="test")
        assert stored(var_dir) == [], kill
        assert list((var_dir / "staging").iterdir()) == [], kill
