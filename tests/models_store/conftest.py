"""Each test of the registry has its own run-time folder and a database that commits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings


@pytest.fixture
def store(var_dir: Path, transactional_db: None) -> Path:
    """Return the run-time folder of an empty registry."""
    return var_dir


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that changes settings of a section."""

    def change(section: str, **values: Any) -> None:
        changed = getattr(settings.CONFIG, section).model_copy(update=values)
        monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={section: changed}))

    return change
