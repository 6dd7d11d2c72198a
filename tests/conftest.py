"""Fixtures every test may use."""

from pathlib import Path

import pytest
from django.conf import settings


@pytest.fixture
def var_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a run-time folder of its own."""
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path)
    return tmp_path
