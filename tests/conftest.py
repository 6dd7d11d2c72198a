"""Fixtures every test may use, and what holds for all of them."""

import os
import shutil
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.contenttypes.management import create_contenttypes
from django.db import connection
from django.db.models.signals import post_migrate

from tests.append_only import unguarded

# What Django fills by itself when a database is made.
KEPT = ("django_content_type", "auth_permission")
NEEDS = ("kafka", "postgres", "redis", "spark", "browser", "clients", "smoke")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skips for the lack of a service where REQUIRE_SERVICES says that all are there."""
    report = yield
    marked = any(item.get_closest_marker(name) for name in NEEDS)
    if report.skipped and marked and os.environ.get("REQUIRE_SERVICES"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_SERVICES is set, and this test would be left out: {reason}"
    return report


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that may take long, whatever the random order, so that none is left alone at the end."""
    items.sort(key=lambda item: -max((mark.args[0] for mark in item.iter_markers("timeout") if mark.args), default=0))


def pytest_unconfigure() -> None:
    """Remove the run-time folder that tests/settings.py made for this process, and no other."""
    if folder := getattr(settings, "THROWAWAY", None):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def var_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a run-time folder of its own; what was loaded from an earlier one is forgotten."""
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path)
    if "predictions.engine" in sys.modules:
        sys.modules["predictions.engine"].stop()
    return tmp_path


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """Make the database; on SQLite the tables that Django fills by itself stay as they are, for they cost the most."""
    if connection.vendor == "sqlite":
        assert post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
        assert post_migrate.disconnect(create_contenttypes)


@pytest.fixture(scope="session", autouse=True)
def flush_past_the_triggers() -> Iterator[None]:
    """Let the tables be emptied between tests: the database refuses that for the audit, as it should."""
    # Of the class: beside a browser's event loop Django has another connection object.
    operations = type(connection.ops)
    flush = operations.execute_sql_flush

    def without_triggers(self: Any, sql_list: list[str]) -> None:
        with unguarded():
            flush(self, [sql for sql in sql_list if not any(f'FROM "{table}"' in sql for table in KEPT)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "execute_sql_flush", without_triggers)
        yield
