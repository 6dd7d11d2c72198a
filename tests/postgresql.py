"""Tests that are run once more, on PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg


def passes_on_postgresql(server: str, name: str, suite: Path, *options: str) -> None:
    """Run a file of tests in a database of its own, so that several may run side by side."""
    name = f"{name}_{os.getpid()}"
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environ["TEST_DATABASE_URL"] = f"{server.rpartition('/')[0]}/{name}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *options, str(suite)]
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "test_{name}" WITH (FORCE)')
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
