"""Datasets, views and snapshots over HTTP."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from features.actions.apply_feature_view import apply_feature_view
from features.actions.ingest import ingest
from features.actions.materialize import materialize
from features.actions.take_snapshot import take_snapshot
from tests.callers import bearer
from tests.features.conftest import ROLES

VIEW = {
    "name": "carriers",
    "dataset": "flights",
    "entity": "carrier",
    "ttl": "2d",
    "features": [{"name": "flights_7d", "function": "count", "window": "7d"}],
}
DIRTY = """at,known,carrier,tail,delay,late
2013-01-04T10:00:00Z,2013-01-04T12:00:00Z,UA,N1,20,true
never,2013-01-04T13:00:00Z,UA,N2,much,false
2013-01-04T11:00:00Z,2013-01-04T13:00:00Z,AA,"<script>alert(1)</script>",x,false
"""

pytestmark = pytest.mark.django_db(transaction=True)


def get(path: str, status: int = 200, **query: Any) -> Any:
    """Return the answer of a reader's request."""
    answer = Client().get(f"/api/v1/{path}", query, headers=bearer("readonly"))
    assert answer.status_code == status, answer.content
    return answer.json()


@pytest.fixture
def dirty(flights: Any, write: Callable[[str, str], Path]) -> None:
    """Ingest a second version, of whose three rows two are refused."""
    ingest("flights", [write("dirty.csv", DIRTY)], actor="test", roles=ROLES, max_rejected=0.9)


def test_list_says_what_is_newest_of_each_dataset(dirty: None) -> None:
    (found,) = get("datasets")["results"]
    assert (found["name"], found["version"], found["rows"], found["open_quarantine"]) == ("flights", 2, 6, 2)
    assert found["last_event_at"] == "2013-01-04T10:00:00Z"
    assert get("datasets", search="FLI")["results"] == [found]
    assert get("datasets", search="trains")["results"] == []


def test_dataset_shows_its_contract(dirty: None) -> None:
    found = get("datasets/flights")
    roles = {column["name"]: column["role"] for column in found["columns"]}
    assert (roles["at"], roles["late"], roles["delay"]) == ("timestamp", "target", "ignore")
    assert found["target_column"] == "late"


def test_versions_come_newest_first_in_pages(dirty: None) -> None:
    page = get("datasets/flights/versions", page_size=1)
    assert [version["version"] for version in page["results"]] == [2]
    rest = Client().get(page["next"], headers=bearer("readonly")).json()
    assert [version["version"] for version in rest["results"]] == [1]
    shown = get("datasets/flights/versions/2")
    assert (shown["rows_valid"], shown["rows_rejected"], shown["mode"]) == (1, 2, "append")
    assert shown["reasons"]["not_timestamp"] == 1


def test_quarantine_gives_whole_rows_with_all_reasons(dirty: None) -> None:
    page = get("datasets/flights/quarantine")
    assert page["total"] == 2
    first = page["results"][0]
    assert first["values"]["tail"] == "N2"
    assert (first["version"], first["row"]) == (2, 2)
    assert {(reason["column"], reason["rule"]) for reason in first["reasons"]} == {
        ("at", "not_timestamp"),
        ("delay", "not_integer"),
    }
    assert [row["row"] for row in get("datasets/flights/quarantine", offset=1, limit=1)["results"]] == [3]
    assert get("datasets/flights/quarantine", reason="not_timestamp")["total"] == 1
    assert get("datasets/flights/quarantine", version=1)["total"] == 0


def test_views_and_snapshots_are_shown_with_what_they_are_made_of(flights: Any) -> None:
    apply_feature_view(VIEW, actor="test")
    materialize("carriers", actor="test")
    taken = take_snapshot("late", dataset="flights", views=("carriers",), actor="test")
    (view,) = get("views", dataset="flights")["results"]
    assert (view["name"], view["version"], view["ttl_seconds"]) == ("carriers", 1, 172800)
    assert get("views/carriers")["versions"] == [1]
    assert get("views/carriers")["live_snapshot"]["rows"] == 2
    (found,) = get("snapshots", kind="training", name="late")["results"]
    assert found["id"] == taken.pk
    shown = get(f"snapshots/{taken.pk}")
    assert (shown["dataset"], shown["version"], shown["views"]) == ("flights", 1, ["carriers"])
    assert shown["model_versions"] == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("datasets/x", "unknown_dataset"),
        ("datasets/x/versions", "unknown_dataset"),
        ("datasets/x/versions/1", "unknown_dataset"),
        ("datasets/x/quarantine", "unknown_dataset"),
        ("views/x", "unknown_feature_view"),
        ("views/x?version=2", "unknown_feature_view"),
        ("snapshots/99", "unknown_feature_snapshot"),
        ("snapshots/99999999999999999999999999", "unknown_feature_snapshot"),
        ("datasets/a%00b", "not_found"),
        ("datasets/..%2f..%2fetc", "not_found"),
    ],
)
def test_what_is_not_there_is_said_to_be_missing(path: str, code: str) -> None:
    assert get(path, status=404)["code"] == code


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("datasets?search=%00", "search"),
        ("datasets/x/quarantine?limit=0", "limit"),
        ("datasets/x/quarantine?limit=201", "limit"),
        ("datasets/x/quarantine?offset=-1", "offset"),
        ("datasets/x/quarantine?version=one", "version"),
        ("datasets/x/quarantine?version=²", "version"),
        ("views?dataset=a/b", "dataset"),
        ("views/x?version=0", "version"),
        ("snapshots?kind=other", "kind"),
    ],
)
def test_parameters_of_another_kind_are_refused(path: str, name: str) -> None:
    answer = get(path, status=400)
    assert (answer["code"], list(answer["fields"])) == ("invalid_input", [name])


def test_every_role_may_read_and_nobody_without_one() -> None:
    for path in ("datasets", "views", "snapshots"):
        for role in ("admin", "promoter", "user", "readonly"):
            assert Client().get(f"/api/v1/{path}", headers=bearer(role)).status_code == 200
        assert Client().get(f"/api/v1/{path}", headers=bearer()).status_code in (401, 403)
