"""A snapshot is one answer to one question: the same on any day, found again, never changed."""

import stat

import numpy as np
import pyarrow.parquet as pq
import pytest
from django.db import IntegrityError, connection, transaction

from features.actions import take_snapshot as taking
from features.actions.apply_feature_view import apply_feature_view
from features.actions.ingest import ingest
from features.actions.take_snapshot import take_snapshot
from features.adapters.snapshots import read_snapshot
from features.core.schema import ColumnRoles
from features.models import DatasetVersion, FeatureSnapshot, FeatureView
from tests.faults import kill_everywhere
from tests.features.conftest import FLIGHTS, ROLES
from tests.features.test_snapshots import CARRIER
from tests.models_store.made import made as make_version


@pytest.fixture
def views(flights):
    apply_feature_view(CARRIER, actor="test")


def snapshot(name="s", **options):
    return take_snapshot(name, **{"dataset": "flights", "views": ["carrier"], **options}, actor="test")


def test_a_question_asked_before_is_answered_without_computing(views, monkeypatch):
    first = snapshot()
    monkeypatch.setattr(taking, "_computed", None)
    assert snapshot().pk == first.pk
    other = snapshot("other")
    assert (other.fingerprint, other.path, other.question, other.rows) == (
        first.fingerprint, first.path, first.question, first.rows,
    )  # fmt: skip
    assert (other.name, other.leakage) == ("other", first.leakage)
    assert [str(view) for view in other.views.all()] == ["carrier v1"]


@pytest.mark.parametrize("damage", ["gone", "cut", "other rows"])
def test_a_damaged_answer_is_computed_again_and_mended(views, var_dir, damage):
    first = snapshot()
    path = var_dir / first.path
    whole = path.read_bytes()
    path.chmod(0o644)
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(whole[:100])
    else:
        pq.write_table(pq.read_table(path).slice(1), path)
    again = snapshot()
    assert (again.pk, path.read_bytes()) == (first.pk, whole)
    assert [entry.name for entry in (var_dir / "snapshots").iterdir()] == [first.fingerprint]


def test_whatever_changes_the_answer_is_another_question(views, write):
    asked = {snapshot().question}
    asked.add(snapshot(views=()).question)
    asked.add(snapshot("other", target="tail").question)
    apply_feature_view({**CARRIER, "features": CARRIER["features"][:1]}, actor="test")
    asked.add(snapshot().question)
    row = "2013-01-01T00:00:00Z,2013-01-01T01:00:00Z,UA,N1,99,true\n"
    ingest("flights", [write("more.csv", FLIGHTS.splitlines()[0] + "\n" + row)], actor="test")
    asked.add(snapshot().question)
    dataset = DatasetVersion.objects.resolve("flights").dataset
    dataset.schema[2]["role"] = "ignore"
    dataset.save()
    asked.add(snapshot().question)
    assert len(asked) == 6


def rows_of(draw, rows=400):
    """Return lines of a file: events of a few entities, with values whose sum depends on the order in floats."""
    at = np.datetime64("2013-01-01") + np.sort(draw.integers(0, 60 * 86400, rows)).astype("timedelta64[s]")
    known = at + draw.integers(0, 90_000, rows).astype("timedelta64[s]")
    columns = (at, known, draw.integers(0, 5, rows), np.round(draw.normal(0, 1e3, rows), 6), draw.integers(0, 2, rows))
    return [",".join((f"{a}Z", f"{b}Z", f"k{key}", str(x), str(y))) for a, b, key, x, y in zip(*columns, strict=True)]


WIDE = {
    "name": "wide",
    "dataset": "d",
    "entity": "key",
    "features": [
        {"name": f"{function}_{window}", "column": "x", "function": function, "window": window}
        for function in ("count", "sum", "mean", "min", "max", "last")
        for window in ("1h", "30d")
    ],
}


def fresh(path, settings):
    """Begin again with no row and no file."""
    FeatureView.objects.all().delete()
    FeatureSnapshot.objects.all().delete()
    DatasetVersion.objects.all().delete()
    settings.VAR_DIR = path
    path.mkdir()


def test_the_same_inputs_give_the_same_bytes_on_another_day(transactional_db, var_dir, write, tmp_path, settings):
    lines = rows_of(np.random.default_rng(3))
    head, half = "at,known,key,x,y\n", len(lines) // 2
    first, second = (write(f"{n}.csv", head + "\n".join(part)) for n, part in ((1, lines[:half]), (2, lines[half:])))
    mixed = write("3.csv", head + "\n".join(np.random.default_rng(5).permutation(lines)))
    small = [write(f"small{n}.csv", head + "\n".join(lines[n::8])) for n in range(8)]
    roles = ColumnRoles(timestamp="at", known_at="known", target="y", entity=("key",))
    names = set()
    for place, batches in enumerate(([[first], [second]], [[second], [first]], [small], [[mixed]])):
        fresh(tmp_path / f"var{place}", settings)
        for files in batches:
            ingest(f"d{place}", files, actor="test", roles=roles)
        apply_feature_view({**WIDE, "dataset": f"d{place}", "name": f"wide{place}"}, actor="test")
        made = take_snapshot(f"day {place}", dataset=f"d{place}", views=[f"wide{place}"], actor="test")
        names.add((made.fingerprint, made.rows))
    assert len(names) == 1


def test_windows_are_right_on_both_sides_of_a_clock_change(transactional_db, var_dir, write):
    """In New York 01:30 came twice on 3 November 2013: 05:30 and 06:30 UTC; both are moments of their own."""
    events = "at,key\n2013-11-03T01:30:00-04:00,a\n2013-11-03T01:30:00-05:00,a\n2013-03-10T01:59:59-05:00,b\n"
    labels = (
        "at,key\n2013-11-03T06:30:00Z,a\n2013-11-03T07:00:00Z,a\n2013-11-03T07:30:00Z,a\n2013-11-03T01:45:00-04:00,a\n"
        "2013-03-10T03:00:00-04:00,b\n2013-03-10T03:59:59-04:00,b\n2013-03-10T04:00:00-04:00,b\n"
    )
    ingest("events", [write("e.csv", events)], actor="test", roles=ColumnRoles(timestamp="at", entity=("key",)))
    ingest("labels", [write("l.csv", labels)], actor="test", roles=ColumnRoles(timestamp="at", entity=("key",)))
    counts = [{"name": f"n_{window}", "function": "count", "window": window} for window in ("1h", "2h")]
    apply_feature_view({"name": "v", "dataset": "events", "entity": "key", "features": counts}, actor="test")
    table = read_snapshot(take_snapshot("s", dataset="labels", views=["v"], actor="test"))
    found = {f"{row['at']:%m-%dT%H:%M:%S}": (row["n_1h"], row["n_2h"]) for row in table.to_pylist()}
    assert found == {
        # The clock sprang from 02:00 to 03:00: one second passed, not an hour and one.
        "03-10T07:00:00": (1, 1),
        "03-10T07:59:59": (1, 1),
        "03-10T08:00:00": (0, 1),
        "11-03T05:45:00": (1, 1),
        # A row does not count for a label of its own moment; the one an hour before is the last that does.
        "11-03T06:30:00": (1, 1),
        "11-03T07:00:00": (1, 2),
        "11-03T07:30:00": (1, 2),
    }


CONTENT = {
    "path": "elsewhere", "fingerprint": "0" * 64, "rows": 9, "columns": [], "question": "0" * 64, "leakage": {"a": 1},
    "as_of": "2013-01-01T00:00:00Z", "kind": "online",
}  # fmt: skip


@pytest.mark.parametrize("column", [*CONTENT, "dataset_version"])
def test_the_database_refuses_to_change_a_training_snapshot(views, write, column):
    made = snapshot()
    value = CONTENT.get(column)
    if column == "dataset_version":
        ingest("other", [write("o.csv", "x\n1\n")], actor="test")
        value = DatasetVersion.objects.resolve("other")
    with pytest.raises(IntegrityError, match="a training snapshot is never changed"), transaction.atomic():
        FeatureSnapshot.objects.filter(pk=made.pk).update(**{column: value})
    made.refresh_from_db()
    made.save()
    FeatureSnapshot.objects.filter(pk=made.pk).update(actor="other")


def test_an_online_snapshot_may_change(views):
    made = snapshot()
    FeatureSnapshot.objects.create(name="o", kind="online", dataset_version=made.dataset_version, rows=1)
    assert FeatureSnapshot.objects.filter(kind="online").update(rows=2, watermark={"a": 1}) == 1


def test_the_database_refuses_to_delete_a_snapshot_that_a_model_version_uses(views):
    made, spare = snapshot(), snapshot("spare", views=())
    make_version("m", snapshot_id=made.pk)
    for pk in (made.pk, spare.pk):
        FeatureSnapshot.objects.get(pk=pk).views.clear()
        FeatureSnapshot.objects.get(pk=pk).sources.clear()
    deletion = "DELETE FROM features_featuresnapshot WHERE id = %s"
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(deletion, [made.pk])
    with connection.cursor() as cursor:
        cursor.execute(deletion, [spare.pk])
    assert FeatureSnapshot.objects.get() == made


def test_the_file_is_read_only(views, var_dir):
    assert stat.S_IMODE((var_dir / snapshot().path).stat().st_mode) == 0o444


def test_killed_at_each_write_it_is_whole_or_not_there_and_a_second_one_completes(transactional_db, var_dir, write):
    path = write("flights.csv", FLIGHTS)

    def prepare(n):
        ingest(f"d{n}", [path], actor="test", roles=ROLES)
        apply_feature_view({**CARRIER, "name": f"v{n}", "dataset": f"d{n}"}, actor="test")
        return {"name": "s", "dataset": f"d{n}", "views": [f"v{n}"], "actor": "test"}

    seen = []
    for kill in kill_everywhere("features.actions.take_snapshot.take_snapshot", prepare):
        seen.append(kill.at)
        left = FeatureSnapshot.objects.filter(dataset_version__dataset__name=f"d{kill.n}")
        for one in left:
            assert read_snapshot(one).num_rows == 5, kill
            assert one.views.count() == one.sources.count() == 1, kill
        done = take_snapshot("s", dataset=f"d{kill.n}", views=[f"v{kill.n}"], actor="test")
        assert read_snapshot(done).num_rows == 5, kill
        FeatureSnapshot.objects.all().delete()
        folder = var_dir / done.path
        folder.unlink()
        folder.parent.rmdir()
    assert any(at.startswith("open") and "data.parquet" in at for at in seen)
    assert any(at.startswith("os.rename") for at in seen)
    assert {"end of the rows", "commit", "committed"} <= set(seen)
