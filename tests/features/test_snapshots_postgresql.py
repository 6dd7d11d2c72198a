"""Snapshots are frozen, and whole or not there, on PostgreSQL too."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

SAME = Path(__file__).parent / "test_snapshots_kept.py"


@pytest.mark.postgres
@pytest.mark.timeout(600)
def test_snapshots_are_kept_the_same_on_postgresql() -> None:
    if not (url := os.environ.get("TEST_POSTGRES_URL")):
        pytest.skip("TEST_POSTGRES_URL names no PostgreSQL server")
    # A database of its own for each run, so that these may run side by side.
    name = f"snapshots_{os.getpid()}"
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environ["TEST_DATABASE_URL"] = f"{url.rpartition('/')[0]}/{name}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(SAME)]
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "test_{name}" WITH (FORCE)')
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
