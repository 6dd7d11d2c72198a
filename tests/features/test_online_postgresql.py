"""The same tests of the online store, on PostgreSQL."""

import os
from pathlib import Path

import pytest

from tests.postgresql import passes_on_postgresql

HERE = Path(__file__).parent
SAME = ("test_online_store.py", "test_online_flips.py", "test_materialize_killed.py", "test_materialize.py")


@pytest.mark.postgres
@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", SAME)
def test_online_values_behave_the_same_on_postgresql(file):
    if not (url := os.environ.get("TEST_POSTGRES_URL")):
        pytest.skip("TEST_POSTGRES_URL names no PostgreSQL server")
    passes_on_postgresql(url, f"online_{SAME.index(file)}", HERE / file, "--no-cov", "-m", "not redis and not postgres")
