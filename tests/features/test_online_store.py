"""Online values behave the same wherever they are kept; `test_online_postgresql.py` runs this on PostgreSQL too."""

import struct
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from features.actions import materialize as module
from features.actions.apply_feature_view import apply_feature_view
from features.actions.ingest import ingest
from features.actions.materialize import materialize
from features.adapters.engine import values_at
from features.adapters.entities import read_entities
from features.adapters.online import online_store, read_online, served_keys
from features.core.schema import ColumnRoles
from features.errors import BadEntityError, MaterializeConflictError, NotMaterializedError, UnknownFeatureError
from features.models import DatasetVersion, FeatureView, OnlineFeature
from tests.features.online_stores import STORES

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("var_dir", "store"),
    pytest.mark.parametrize("store", STORES, indirect=True),
]
ROWS = """at,known,shop,city,amount,paid,count,note
2024-01-01T10:00:00Z,2024-01-01T10:30:00Z,a|b,Brno,0.1,true,9007199254740993,žluť
2024-01-01T11:00:00Z,2024-01-01T11:00:00Z,a|b,Brno,0.2,false,-1,
2024-01-02T10:00:00Z,2024-01-02T10:00:00Z,c,Brno,-0.0,,1,x
2024-01-03T10:00:00Z,2024-01-05T10:00:00Z,c,Brno,5,true,2,late
2024-01-03T11:00:00Z,2024-01-03T11:00:00Z,d,Praha,,true,3,y
"""
LASTS = [{"name": f"last_{name}", "function": "last", "column": name, "window": "30d"} for name in ("amount", "paid")]
LASTS += [{"name": f"last_{name}", "function": "last", "column": name, "window": "30d"} for name in ("count", "note")]
VIEW = {
    "name": "shops",
    "dataset": "sales",
    "entity": ["shop", "city"],
    "ttl": "3d",
    "features": [
        {"name": "n", "function": "count", "window": "1d"},
        {"name": "total", "function": "sum", "column": "amount", "window": "7d"},
        {"name": "deviation", "function": "std", "column": "amount", "window": "7d"},
        {"name": "share_paid", "function": "share", "column": "paid", "window": "7d"},
        {"name": "least", "function": "min", "column": "amount", "window": "7d"},
        *LASTS,
    ],
}
MOMENT = datetime(2024, 1, 3, 12, tzinfo=UTC)
AB, C, D = r"a\|b|Brno", "c|Brno", "d|Praha"


@pytest.fixture
def shops(write):
    ingest("sales", [write("1.csv", ROWS)], actor="test", roles=ColumnRoles(timestamp="at", known_at="known"))
    return apply_feature_view(VIEW, actor="test")


def more(write, rows, name="2.csv"):
    ingest("sales", [write(name, ROWS.splitlines()[0] + "\n" + rows)], actor="test")


def bits(value):
    return struct.pack("<d", value) if isinstance(value, float) else value


def served(now=MOMENT):
    return {row.key: row for row in read_online("shops", [AB, C, D, "e|Brno"], now=now)}


def test_values_of_every_kind_are_served(shops):
    made = materialize("shops", as_of=MOMENT, actor="test")
    assert (made.rows, made.changed, made.mode) == (3, 3, "full")
    rows = served()
    assert [row.status for row in rows.values()] == ["present", "present", "present", "missing"]
    assert rows[AB].values["last_count"] == -1
    assert rows[AB].values["last_note"] == "žluť"
    assert rows[AB].values["share_paid"] == 0.5
    # The engines give zero one sign; the store would keep either.
    assert bits(rows[C].values["last_amount"]) == bits(0.0)
    assert (rows[C].values["last_paid"], rows[C].values["share_paid"]) == (None, None)
    assert rows[AB].event_at == datetime(2024, 1, 1, 11, tzinfo=UTC)
    assert rows[AB].age_seconds == 49 * 3600


def test_each_value_has_its_own_status_and_expired_ones_are_not_given_out(shops):
    materialize("shops", as_of=MOMENT, actor="test")
    rows = served()
    assert rows[C].features()["last_paid"].status == "missing"
    assert (rows[C].features()["n"].value, rows[C].features()["n"].status) == (0, "present")
    late = served(now=datetime(2024, 1, 5, 10, tzinfo=UTC) + timedelta(microseconds=1))
    assert (late[C].status, late[C].values) == ("expired", {})
    assert {(cell.value, cell.status) for cell in late[C].features().values()} == {(None, "expired")}
    assert late[D].status == "present"
    assert {(cell.value, cell.age_seconds, cell.status) for cell in late["e|Brno"].features().values()} == {
        (None, None, "missing")
    }


@pytest.mark.parametrize("hours", [0, 22, 23, 24, 47, 48, 72, 96, 97])
def test_online_values_are_those_of_a_label_at_that_time(shops, hours):
    moment = datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(hours=hours)
    view = apply_feature_view({**VIEW, "ttl": None}, actor="test")
    materialize("shops", as_of=moment, actor="test")
    labels = pa.table({"shop": ["a|b", "c", "d"], "city": ["Brno", "Brno", "Praha"]})
    at = pa.chunked_array([pa.array([moment] * 3, pa.timestamp("us", tz="UTC"))])
    offline = values_at(view.definition(), DatasetVersion.objects.resolve("sales"), labels, at).to_pylist()
    for row, expected in zip(read_online("shops", [AB, C, D], now=moment), offline, strict=True):
        exact = {name: bits(value) for name, value in expected.items()}
        if row.status == "present":
            assert {name: bits(value) for name, value in row.values.items()} == exact
        else:
            # No row by then: nothing is known of it offline either, but that there were none.
            assert (row.status, {value for value in exact.values() if value is not None}) == ("missing", {0})


def test_only_what_new_rows_or_time_touch_is_computed(shops, write):
    first = materialize("shops", as_of=MOMENT, actor="test")
    more(write, "2024-01-03T10:30:00Z,2024-01-03T10:45:00Z,e,Brno,1,true,1,z\n")
    again = materialize("shops", as_of=MOMENT, actor="test")
    assert (again.rows, again.mode) == (4, "incremental" if again.changed == 1 else "full")
    assert served()["e|Brno"].values["n"] == 1
    assert served()[AB].values["last_note"] == "žluť"
    assert again.snapshot > first.snapshot
    assert materialize("shops", as_of=MOMENT, actor="test").mode == "unchanged"


def test_a_late_row_is_not_missed_whatever_its_time(shops, write):
    apply_feature_view({**VIEW, "features": [VIEW["features"][0], *LASTS]}, actor="test")
    materialize("shops", as_of=MOMENT, actor="test")
    more(write, "2024-01-03T09:00:00Z,2024-01-03T09:30:00Z,c,Brno,7,true,7,before\n")
    again = materialize("shops", as_of=MOMENT, actor="test")
    assert (again.mode, again.changed, again.rows) == ("incremental", 1, 3)
    assert served()[C].values["last_note"] == "before"


def test_time_alone_changes_what_leaves_a_window_or_becomes_known(shops):
    apply_feature_view({**VIEW, "features": [VIEW["features"][0], *LASTS]}, actor="test")
    materialize("shops", as_of=MOMENT, actor="test")
    assert served()[D].values["n"] == 1
    later = materialize("shops", as_of=datetime(2024, 1, 4, 11, 0, 0, 1, tzinfo=UTC), actor="test")
    assert (later.mode, later.changed) == ("incremental", 1)
    assert served()[D].values["n"] == 0
    known = materialize("shops", as_of=datetime(2024, 1, 5, 10, tzinfo=UTC), actor="test")
    assert (known.mode, known.changed) == ("incremental", 1)
    assert served()[C].values["last_note"] == "late"


def test_going_back_in_time_takes_out_who_was_not_there_yet(shops):
    materialize("shops", as_of=MOMENT, actor="test")
    back = materialize("shops", as_of=datetime(2024, 1, 1, 12, tzinfo=UTC), actor="test")
    assert back.rows == 1
    assert [row.status for row in served().values()] == ["present", "missing", "missing", "missing"]


def test_replaced_rows_are_computed_in_full(shops, write):
    apply_feature_view({**VIEW, "features": [VIEW["features"][0], *LASTS]}, actor="test")
    materialize("shops", as_of=MOMENT, actor="test")
    more(write, "2024-01-03T10:30:00Z,2024-01-03T10:45:00Z,e,Brno,1,true,1,z\n")
    DatasetVersion.objects.filter(number=2).update(mode="upsert")
    assert materialize("shops", as_of=MOMENT, actor="test").mode == "full"


def test_many_entities_are_read_at_once(write):
    lines = "".join(f"2024-01-01T10:00:00Z,e{n},{n}\n" for n in range(2500))
    ingest("many", [write("m.csv", "at,e,x\n" + lines)], actor="test", roles=ColumnRoles(timestamp="at"))
    feature = {"name": "x", "function": "last", "column": "x", "window": "9d"}
    apply_feature_view({"name": "many", "dataset": "many", "entity": "e", "features": [feature]}, actor="test")
    materialize("many", actor="test")
    rows = read_online("many", [f"e{n}" for n in range(2600)])
    assert [row.values.get("x") for row in rows] == [*range(2500), *[None] * 100]


def test_a_few_of_the_keys_that_are_served_are_told(shops):
    assert served_keys(shops, 10) == []
    made = materialize("shops", as_of=MOMENT, actor="test")
    view = FeatureView.objects.get()
    few = served_keys(view, 2)
    assert len(few) == 2
    assert [row.status for row in read_online("shops", few, now=MOMENT)] == ["present"] * 2
    assert len(set(served_keys(view, 100))) == made.rows > 2


def test_two_generations_are_kept_at_most(shops):
    made = [materialize("shops", as_of=MOMENT, full=True, actor="test").snapshot for _ in range(3)]
    assert set(OnlineFeature.objects.values_list("snapshot_id", flat=True)) <= set(made[1:])
    assert online_store().live(shops.pk) == made[-1]


def test_values_another_store_holds_are_not_silently_missing(shops, monkeypatch):
    materialize("shops", as_of=MOMENT, actor="test")
    live = FeatureView.objects.get().live_snapshot
    live.watermark["store"] = "elsewhere"
    type(live).objects.filter(pk=live.pk).update(watermark=live.watermark)
    module.online_store.cache_clear()
    from features.adapters.online import _layout

    _layout.cache_clear()
    with pytest.raises(NotMaterializedError, match="`materialize shops` makes them"):
        read_online("shops", [C])


def test_a_source_dropped_meanwhile_is_a_conflict(shops, write, monkeypatch):
    apply_feature_view({**VIEW, "features": [VIEW["features"][0], *LASTS]}, actor="test")
    materialize("shops", as_of=MOMENT, actor="test")
    store = type(online_store())
    counts = iter([2])
    monkeypatch.setattr(store, "count", lambda *_: next(counts))
    with pytest.raises(MaterializeConflictError):
        materialize("shops", as_of=MOMENT + timedelta(hours=25), actor="test")
    monkeypatch.undo()


def test_entities_are_named_by_key_or_by_column(shops):
    materialize("shops", as_of=MOMENT, actor="test")
    answer = read_entities("shops@1", [{"city": "Brno", "shop": "a|b"}, C], ["n", "last_count"])
    assert (answer.view, answer.version, answer.as_of) == ("shops", 1, MOMENT)
    assert [row["key"] for row in answer.rows] == [AB, C]
    assert answer.rows[0]["features"].keys() == {"n", "last_count"}
    with pytest.raises(BadEntityError, match="is named by shop, city; got shop"):
        read_entities("shops", [{"shop": "a"}])
    with pytest.raises(UnknownFeatureError, match="has no feature 'none'; it has n, total"):
        read_entities("shops", [C], ["none"])
