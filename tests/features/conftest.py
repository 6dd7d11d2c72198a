"""Datasets made through the actions, in a run-time folder of the test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from features.actions.add_version import IngestResult
from features.actions.ingest import ingest
from features.core.schema import ColumnRoles
from tests.features.online_stores import choose_store, forget_store

FLIGHTS = """at,known,carrier,tail,delay,late
2013-01-01T10:00:00Z,2013-01-01T12:00:00Z,UA,N1,20,true
2013-01-01T11:00:00Z,2013-01-01T13:00:00Z,UA,N2,-3,false
2013-01-02T10:00:00Z,2013-01-02T15:00:00Z,AA,N1,0,false
2013-01-02T11:30:00Z,2013-01-02T12:00:00Z,UA,N1,40,true
2013-01-03T10:00:00Z,2013-01-03T12:00:00Z,UA,N2,,
"""
ROLES = ColumnRoles(timestamp="at", known_at="known", target="late", ignore=("delay",))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Return a function that writes a file and returns its path."""

    def written(name: str, body: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(body if isinstance(body, bytes) else body.encode())
        return path

    return written


@pytest.fixture
def flights(transactional_db: None, var_dir: Path, write: Callable[[str, str], Path]) -> IngestResult:
    """Ingest five flights."""
    return ingest("flights", [write("flights.csv", FLIGHTS)], actor="test", roles=ROLES)


@pytest.fixture
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Keep online values where the test's parameter says."""
    choose_store(request.param, monkeypatch)
    yield request.param
    forget_store()
