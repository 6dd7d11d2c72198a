"""Fixtures of the tests of runs, batches and streams."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from pipeline.handlers import HANDLERS
from pipeline.signals import run_queued
from tests.pipeline.served_model import production

SetHandler = Callable[[str], None]


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> SetHandler:
    return lambda name: monkeypatch.setitem(HANDLERS, "noop", f"tests.pipeline.jobs.{name}")


@pytest.fixture
def rung() -> Iterator[list[Any]]:
    ids: list[Any] = []

    def note(run_id: Any, **_: Any) -> None:
        ids.append(run_id)

    run_queued.connect(note)
    yield ids
    run_queued.disconnect(note)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def change(**values: Any) -> None:
        config = settings.CONFIG
        monkeypatch.setattr(
            settings, "CONFIG", config.model_copy(update={"jobs": config.jobs.model_copy(update=values)})
        )

    return change


@pytest.fixture
def folder(var_dir: Path, tmp_path: Path) -> Path:
    """Give a folder to work in, and the model `late` in production."""
    production()
    (tmp_path / "work").mkdir()
    return tmp_path / "work"
