from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.actions.apply_feature_view import apply_feature_view, plan_feature_view
from features.actions.ingest import ingest
from features.actions.take_snapshot import take_snapshot
from features.adapters import snapshots
from features.adapters.snapshots import read_snapshot
from features.core.fingerprint import table_digest
from features.core.schema import ColumnRoles
from features.errors import (
    DefinitionError,
    EmptyFileError,
    SchemaError,
    SnapshotDamagedError,
    UnknownDatasetError,
    UnknownDatasetVersionError,
    UnknownFeatureViewError,
)
from features.models import FeatureSnapshot, FeatureView

pytestmark = pytest.mark.django_db(transaction=True)

CARRIER = {
    "name": "carrier",
    "dataset": "flights",
    "entity": "carrier",
    "features": [
        {"name": "n_7d", "function": "count", "window": "7d"},
        {"name": "late_7d", "column": "late", "function": "share", "window": "7d"},
        {"name": "last_delay", "column": "delay", "function": "last", "window": "1d"},
    ],
}
WEATHER = {
    "name": "weather",
    "dataset": "weather",
    "entity": "tail",
    "features": [{"name": "temp", "column": "temp", "function": "last", "window": "3h"}],
}


@pytest.fixture
def views(flights, write):
    """Declare a view of the labels' own history and one of another dataset."""
    apply_feature_view(CARRIER, actor="test")
    weather = "tail,at,temp\nN1,2013-01-01T09:00:00Z,3.5\nN1,2013-01-02T11:30:00Z,9\n"
    ingest("weather", [write("w.csv", weather)], actor="test", roles=ColumnRoles(timestamp="at"))
    apply_feature_view(WEATHER, actor="test")


def columns(snapshot, *names):
    return list(zip(*(read_snapshot(snapshot)[name].to_pylist() for name in names), strict=True))


def test_features_are_as_known_at_each_labels_time(views):
    made = take_snapshot("s", dataset="flights", views=["carrier", "weather"], actor="test")
    assert columns(made, "carrier", "n_7d", "late_7d", "last_delay", "temp") == [
        ("UA", 0, None, None, 3.5),
        # The flight of 10:00 landed at 12:00: at 11:00 nobody knew.
        ("UA", 0, None, None, None),
        ("AA", 0, None, None, None),
        ("UA", 2, 0.5, None, None),
        ("UA", 3, 2 / 3, 40, None),
    ]
    roles = {column["name"]: column["role"] for column in made.columns}
    assert (roles["late"], roles["delay"], roles["temp"]) == ("target", "ignore", "feature")
    assert {view.name for view in made.views.all()} == {"carrier", "weather"}
    assert {str(version) for version in made.sources.all()} == {"flights@1", "weather@1"}


def test_the_same_question_has_the_same_answer(views, var_dir):
    first = take_snapshot("s", dataset="flights", views=["carrier"], actor="test")
    assert take_snapshot("s", dataset="flights@1", views=["carrier@1"], actor="other").pk == first.pk
    other = take_snapshot("t", dataset="flights", views=["carrier"], actor="test")
    assert (other.fingerprint, other.path) == (first.fingerprint, first.path)
    assert other.pk != first.pk
    assert [path.name for path in (var_dir / "snapshots").iterdir()] == [first.fingerprint]


def test_an_old_version_is_answered_from_its_own_rows(views, write):
    before = take_snapshot("s", dataset="flights@1", views=["carrier"], actor="test")
    row = "at,known,carrier,tail,delay,late\n2013-01-01T00:00:00Z,2013-01-01T01:00:00Z,UA,N1,99,true\n"
    ingest("flights", [write("more.csv", row)], actor="test")
    assert take_snapshot("s", dataset="flights@1", views=["carrier"], actor="test").pk == before.pk
    assert columns(take_snapshot("s", dataset="flights", views=["carrier"], actor="test"), "n_7d")[1] == (1,)


def test_as_of_keeps_labels_known_by_then(views):
    moment = datetime(2013, 1, 2, 12, tzinfo=UTC)
    made = take_snapshot("s", dataset="flights", as_of=moment, actor="test")
    assert (made.rows, made.as_of) == (3, moment)
    with pytest.raises(EmptyFileError, match="has no row as of 2000"):
        take_snapshot("s", dataset="flights", as_of=datetime(2000, 1, 1, tzinfo=UTC), actor="test")


def test_a_dataset_without_time_gives_its_own_columns(transactional_db, var_dir, write):
    ingest("d", [write("d.csv", "b,a\n2,x\n1,y\n")], actor="test", roles=ColumnRoles(target="a"))
    made = take_snapshot("s", dataset="d", actor="test")
    assert read_snapshot(made).to_pylist() == [{"b": 1, "a": "y"}, {"b": 2, "a": "x"}]
    with pytest.raises(DefinitionError, match="as_of needs times"):
        take_snapshot("s", dataset="d", as_of=datetime(2000, 1, 1, tzinfo=UTC), actor="test")


def test_views_need_the_labels_times_and_keys(views, write):
    ingest("d", [write("d.csv", "carrier\nUA\n")], actor="test")
    with pytest.raises(DefinitionError, match="needs the labels' times"):
        take_snapshot("s", dataset="d", views=["carrier"], actor="test")
    with pytest.raises(DefinitionError, match="asks for a string column 'carrier' in the labels"):
        take_snapshot("s", dataset="weather", views=["carrier"], actor="test")
    assert not FeatureSnapshot.objects.exists()


def test_a_feature_named_like_a_column_is_refused(views):
    clash = {**CARRIER, "name": "clash", "features": [{"name": "tail", "function": "count", "window": "7d"}]}
    apply_feature_view(clash, actor="test")
    with pytest.raises(SchemaError, match=r"repeated: \['tail'\]"):
        take_snapshot("s", dataset="flights", views=["clash"], actor="test")


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"dataset": "none"}, UnknownDatasetError, "no dataset is named 'none'"),
        ({"dataset": "flights@9"}, UnknownDatasetVersionError, "its versions are 1 to 1"),
        ({"dataset": "flights@x"}, UnknownDatasetVersionError, "no version"),
        ({"dataset": "flights", "views": ["none"]}, UnknownFeatureViewError, "no feature view is named 'none'"),
        ({"dataset": "flights", "views": ["carrier@7"]}, UnknownFeatureViewError, "'carrier@7'"),
    ],
)
def test_unknown_names_are_refused(views, var_dir, options, kind, text):
    with pytest.raises(kind) as refused:
        take_snapshot("s", **options, actor="test")
    assert text in refused.value.message
    assert not FeatureSnapshot.objects.exists()
    assert not (var_dir / "snapshots").exists()


def test_a_name_that_can_not_be_shown_is_refused(flights):
    with pytest.raises(SchemaError, match="1 to 150 printable"):
        take_snapshot("", dataset="flights", actor="test")


def test_a_damaged_snapshot_is_not_read(flights, var_dir):
    made = take_snapshot("s", dataset="flights", actor="test")
    path = var_dir / made.path
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 4), path)
    with pytest.raises(SnapshotDamagedError, match="holds other rows"):
        read_snapshot(made)
    path.write_bytes(b"PAR1")
    with pytest.raises(SnapshotDamagedError, match="can't be read"):
        read_snapshot(made)
    path.unlink()
    with pytest.raises(SnapshotDamagedError, match="has no rows on disk"):
        read_snapshot(made)
    take_snapshot("s", dataset="flights", actor="test")
    assert read_snapshot(made).equals(table)


def test_a_failed_write_leaves_no_folder(flights, var_dir, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("features.adapters.snapshots.pq.write_table", full)
    with pytest.raises(OSError, match="disk full"):
        take_snapshot("s", dataset="flights", actor="test")
    assert list((var_dir / "snapshots").iterdir()) == []
    assert not FeatureSnapshot.objects.exists()


def test_a_changed_definition_is_a_new_version(views):
    assert apply_feature_view({**CARRIER, "description": "other words"}, actor="test").version == 1
    changed = {**CARRIER, "features": [*CARRIER["features"][1:], {"name": "x", "function": "count", "window": "1h"}]}
    plan = plan_feature_view(changed)
    assert (plan.change, plan.version, plan.added, plan.removed) == ("changed", 2, ["x"], ["n_7d"])
    assert apply_feature_view(changed, actor="test").version == 2
    assert [str(view) for view in FeatureView.objects.newest()] == ["carrier v2", "weather v1"]
    assert plan_feature_view(changed).change == "unchanged"
    assert plan_feature_view({**CARRIER, "name": "other"}).change == "new"


def test_a_view_stays_with_its_dataset_and_needs_times(views, write):
    with pytest.raises(DefinitionError, match="is of another dataset"):
        apply_feature_view({**WEATHER, "name": "carrier"}, actor="test")
    ingest("d", [write("d.csv", "tail,temp\nN1,1\n")], actor="test")
    with pytest.raises(DefinitionError, match="has no timestamp column"):
        apply_feature_view({**WEATHER, "dataset": "d"}, actor="test")


def test_two_who_write_the_same_rows_leave_them_once(var_dir, monkeypatch):
    table, replace = pa.table({"x": [1, 2]}), Path.replace
    name = table_digest(table, [])

    def overtaken(path, target):
        if path.name.startswith(".new-"):
            monkeypatch.setattr(Path, "replace", replace)
            snapshots.store_rows(table, name, [])
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", overtaken)
    where = snapshots.store_rows(table, name, [])
    assert pq.read_table(var_dir / where).equals(table)
    assert [path.name for path in (var_dir / "snapshots").iterdir()] == [name]
