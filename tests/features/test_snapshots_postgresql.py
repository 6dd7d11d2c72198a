"""Snapshots are frozen, and whole or not there, on PostgreSQL too."""

import os
from pathlib import Path

import pytest

from tests.postgresql import passes_on_postgresql

SAME = Path(__file__).parent / "test_snapshots_kept.py"


@pytest.mark.postgres
@pytest.mark.timeout(600)
def test_snapshots_are_kept_the_same_on_postgresql() -> None:
    if not (url := os.environ.get("TEST_POSTGRES_URL")):
        pytest.skip("TEST_POSTGRES_URL names no PostgreSQL server")
    passes_on_postgresql(url, "snapshots", SAME)
