"""The same tests of the online store, on PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

HERE = Path(__file__).parent
SAME = ("test_online_store.py", "test_online_flips.py", "test_materialize_killed.py", "test_materialize.py")


@pytest.mark.postgres
@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", SAME)
def test_online_values_behave_the_same_on_postgresql(file):
    if not (url := os.environ.get("TEST_POSTGRES_URL")):
        pytest.skip("TEST_POSTGRES_URL names no PostgreSQL server")
    # A database of its own for each file and run, so that these may run side by side.
    name = f"online_{os.getpid()}_{SAME.index(file)}"
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environ["TEST_DATABASE_URL"] = f"{url.rpartition('/')[0]}/{name}"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--no-cov",
        "-m",
        "not redis and not postgres",
    ]
    try:
        done = subprocess.run([*command, str(HERE / file)], env=environ, capture_output=True, text=True, check=False)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "test_{name}" WITH (FORCE)')
    assert done.returncode == 0, done.stdout[-3000:]
    assert "passed" in done.stdout
