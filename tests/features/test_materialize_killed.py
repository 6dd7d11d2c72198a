"""A materialization killed at each of its writes leaves the old values or the new, and a second one completes it."""

from datetime import UTC, datetime

import pytest

from features.actions.apply_feature_view import apply_feature_view
from features.actions.ingest import ingest
from features.actions.materialize import materialize
from features.adapters.online import read_online
from features.core.schema import ColumnRoles
from features.models import OnlineFeature
from tests.faults import kill_everywhere
from tests.features.online_stores import STORES

MOMENT = datetime(2024, 1, 2, tzinfo=UTC)
KEYS = ["a", "b", "c"]
OLD = {"a": {"x": 1.0, "n": 1}, "b": {"x": 1.0, "n": 1}, "c": {}}
NEW = {"a": {"x": 1.0, "n": 1}, "b": {"x": 2.0, "n": 2}, "c": {"x": 2.0, "n": 1}}
FEATURES = [
    {"name": "x", "function": "last", "column": "x", "window": "9d"},
    {"name": "n", "function": "count", "window": "9d"},
]


@pytest.fixture
def prepare(write):
    """Return a function that serves the old values of a view of its own, and has new rows waiting."""
    old = write("1.csv", "at,e,x\n2024-01-01T01:00:00Z,a,1\n2024-01-01T01:00:00Z,b,1\n")
    new = write("2.csv", "at,e,x\n2024-01-01T02:00:00Z,b,2\n2024-01-01T02:00:00Z,c,2\n")

    def prepared(name, full):
        ingest(name, [old], actor="test", roles=ColumnRoles(timestamp="at"))
        apply_feature_view({"name": name, "dataset": name, "entity": "e", "features": FEATURES}, actor="test")
        materialize(name, as_of=MOMENT, actor="test")
        ingest(name, [new], actor="test")
        return {"view": name, "as_of": MOMENT, "full": full, "actor": "test"}

    return prepared


def served(view):
    return {row.key: row.values for row in read_online(view, KEYS)}


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
@pytest.mark.parametrize("store", STORES, indirect=True)
@pytest.mark.django_db(transaction=True)
def test_killed_at_each_write_old_or_new_values_are_served(var_dir, store, prepare, full):
    seen, states = [], set()
    preload = ("features.actions.materialize", "features.adapters.online_redis")
    run = "features.actions.materialize.materialize"
    for kill in kill_everywhere(run, lambda n: prepare(f"v{n}", full), preload=preload):
        view = f"v{kill.n}"
        seen.append(kill.at)
        now = served(view)
        assert now in (OLD, NEW), kill
        states.add(now == NEW)
        made = materialize(view, as_of=MOMENT, actor="test")
        assert served(view) == NEW, kill
        assert made.rows == 3
        held = OnlineFeature.objects.filter(snapshot__views__name=view).values("snapshot_id").distinct()
        assert held.count() <= 2, kill
    assert {"commit", "committed"} <= set(seen)
    assert states == {False, True}
    if store == "redis":
        assert {"write to Redis", "pointer in Redis"} <= set(seen)
