"""The JSON-lines stream: what stops it, and what it refuses."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from features.ground.errors import DomainError
from models_store.errors import UnknownModelError
from pipeline.actions.consume import ConsumeRequest, consume
from pipeline.adapters.stream_jsonl import JsonlSource
from pipeline.core.streaming import Consumed
from pipeline.errors import (
    InputChangedError,
    InvalidStreamError,
    OutputBusyError,
    StreamInterruptedError,
    UnknownFileError,
)
from predictions.models import Prediction
from tests.pipeline.stream_files import answers, lines, offsets, run, written

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("call", range(1, 14))
def test_failure_at_any_write_loses_and_doubles_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    items = lines(30)
    items[4] = items[17] = "poison"
    written(folder, items)
    calls = 0
    real = os.fsync

    def failing(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError("killed here")
        real(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing)
        with pytest.raises(OSError, match="killed here"):
            run(folder)
    run(folder)
    assert offsets(answers(folder)) == [at for at in range(30) if at not in (4, 17)]
    assert offsets(answers(folder, "out.jsonl.dead")) == [4, 17]
    assert Prediction.objects.count() == 28
    ids = {str(key) for key in Prediction.objects.values_list("pk", flat=True)}
    assert {item["prediction_id"] for item in answers(folder)} == ids


def test_process_killed_in_the_middle_goes_on(folder: Path, var_dir: Path) -> None:
    written(folder, lines(3000))
    env = os.environ | {"VAR_DIR": str(var_dir), "DJANGO_SETTINGS_MODULE": "mlsite.settings"}
    env |= {"DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}", "STREAMING__KAFKA__POLL_RECORDS": "20"}
    command = [sys.executable, "manage.py", "consume", "--source", "jsonl", "--model", "late"]
    command += ["--input", str(folder / "in.jsonl"), "--output", str(folder / "out.jsonl")]
    with subprocess.Popen(command, cwd=settings.BASE_DIR, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "scored" in process.stderr.readline()
        process.send_signal(signal.SIGKILL)
    assert 0 < len((folder / "out.jsonl").read_text().splitlines()) < 3000
    run(folder, poll_rows=500)
    assert offsets(answers(folder)) == list(range(3000))
    assert Prediction.objects.count() == 3000


def test_replaced_input_is_refused(folder: Path) -> None:
    written(folder, lines(5))
    run(folder)
    before = (folder / "out.jsonl").read_bytes()
    written(folder, lines(9, seed=9))
    with pytest.raises(InputChangedError, match="is not the file this stream stopped in at line 5"):
        run(folder)
    assert (folder / "out.jsonl").read_bytes() == before


def test_shortened_output_is_refused(folder: Path) -> None:
    written(folder, lines(5))
    run(folder)
    (folder / "out.jsonl").write_text("")
    with pytest.raises(InputChangedError, match=r"out.jsonl is shorter than what was committed to it: 0 of \d+ bytes"):
        run(folder)


def test_damaged_position_is_refused(folder: Path) -> None:
    written(folder, lines(5))
    (folder / "out.jsonl.offset").write_text("{}")
    with pytest.raises(InvalidStreamError, match="is no position of a stream"):
        run(folder)


def test_output_of_another_process_is_refused(folder: Path) -> None:
    written(folder, lines(5))
    with (
        JsonlSource(folder / "in.jsonl", folder / "out.jsonl"),
        pytest.raises(OutputBusyError, match="another process is writing to out"),
    ):
        run(folder)


def test_unknown_model_touches_nothing(folder: Path) -> None:
    written(folder, lines(5))
    with pytest.raises(UnknownModelError):
        run(folder, model="nobody")
    assert (folder / "out.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    ("options", "text"),
    [({"max_messages": 0}, "max messages must be at least 1"), ({"until_idle_s": -1.0}, "until idle must be 0 to")],
)
def test_limits_out_of_range_are_refused(folder: Path, options: dict[str, Any], text: str) -> None:
    written(folder, lines(1))
    with pytest.raises(InvalidStreamError, match=text):
        run(folder, **options)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (["--input", "gone.jsonl", "--output", "out"], UnknownFileError, "there is no file gone.jsonl"),
        (["--input", "in.jsonl"], InvalidStreamError, "needs --input FILE and --output FILE"),
        (["--input", "in.jsonl", "--output", "in.jsonl"], InvalidStreamError, "another file than the input"),
        (["--input", "in.jsonl", "--output", "gone/out"], InvalidStreamError, "there is no folder gone"),
    ],
)
def test_command_refuses_files_it_cannot_use(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: type[DomainError], text: str
) -> None:
    written(folder, lines(1))
    monkeypatch.chdir(folder)
    with pytest.raises(error, match=text):
        call_command("consume", "--source", "jsonl", "--model", "late", *arguments)


def test_command_refuses_files_for_kafka(folder: Path) -> None:
    with pytest.raises(InvalidStreamError, match="go with --source jsonl"):
        call_command("consume", "--source", "kafka", "--model", "late", "--input", "in.jsonl")


class FlakySource(JsonlSource):
    """A file whose first commits are interrupted, as a broker's may be."""

    interruptions = 2

    def commit(self, answers: Any) -> None:
        """Fail some times, then commit."""
        if self.interruptions:
            self.interruptions -= 1
            raise StreamInterruptedError("the broker went away")
        super().commit(answers)


def test_interrupted_commit_is_done_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    written(folder, lines(5))
    with FlakySource(folder / "in.jsonl", folder / "out.jsonl") as source:
        done = consume(source, ConsumeRequest(model="late", actor="cli:test", until_idle_s=0.0))
    assert done == Consumed(in_=5, scored=5, dead_letters=0, committed=5)
    assert offsets(answers(folder)) == list(range(5))


def test_stream_interrupted_again_and_again_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(FlakySource, "interruptions", 100)
    written(folder, lines(5))
    with (
        FlakySource(folder / "in.jsonl", folder / "out.jsonl") as source,
        pytest.raises(StreamInterruptedError, match="the broker went away"),
    ):
        consume(source, ConsumeRequest(model="late", actor="cli:test", until_idle_s=0.0))
    assert answers(folder) == []
