from datetime import UTC, datetime, timedelta

import pytest

from features.actions.apply_feature_view import apply_feature_view
from features.actions.ingest import ingest
from features.actions.materialize import materialize
from features.adapters.online import read_online
from features.core.schema import ColumnRoles
from features.errors import DefinitionError, EmptyFileError, NotMaterializedError, UnknownFeatureViewError
from features.ground.errors import ConflictError
from features.models import FeatureSnapshot, FeatureView, OnlineFeature
from tests.features.test_snapshots import CARRIER

pytestmark = pytest.mark.django_db(transaction=True)
MOMENT = datetime(2013, 1, 3, 11, tzinfo=UTC)


@pytest.fixture
def view(flights):
    return apply_feature_view({**CARRIER, "ttl": "2d"}, actor="test")


def test_newest_values_are_served_with_their_age(view):
    made = materialize("carrier", as_of=MOMENT, actor="test")
    assert made.rows == 2
    rows = read_online("carrier", ["UA", "ZZ", "AA"], now=datetime(2013, 1, 4, 9, tzinfo=UTC))
    assert [(row.key, row.status) for row in rows] == [("UA", "present"), ("ZZ", "missing"), ("AA", "present")]
    assert rows[0].values == {"n_7d": 3, "late_7d": pytest.approx(2 / 3), "last_delay": 40}
    assert rows[0].event_at == datetime(2013, 1, 2, 11, 30, tzinfo=UTC)
    assert FeatureSnapshot.objects.get().sources.count() == 1


def test_old_values_are_expired_and_not_given_out(view):
    materialize("carrier", as_of=MOMENT, actor="test")
    row = read_online("carrier", ["UA"], now=MOMENT + timedelta(days=2))[0]
    assert (row.status, row.values) == ("expired", {})
    assert read_online("carrier", ["UA"])[0].status == "expired"


def test_without_a_limit_nothing_expires(flights):
    apply_feature_view(CARRIER, actor="test")
    materialize("carrier", actor="test")
    assert read_online("carrier", ["UA"])[0].values["n_7d"] == 4


def test_the_same_rows_are_built_once_unless_asked_for(view):
    first = materialize("carrier", actor="test")
    assert materialize("carrier", actor="test").snapshot == first.snapshot
    again = materialize("carrier", full=True, actor="test")
    assert again.snapshot != first.snapshot
    assert FeatureView.objects.get().live_snapshot_id == again.snapshot


def test_the_values_before_are_kept_and_older_ones_dropped(view):
    made = [materialize("carrier", full=True, actor="test").snapshot for _ in range(3)]
    assert set(OnlineFeature.objects.values_list("snapshot_id", flat=True)) == set(made[1:])


def test_a_death_halfway_leaves_what_was_served(view, monkeypatch):
    from features.actions import materialize as module

    first = materialize("carrier", as_of=MOMENT, actor="test")

    def dying(*_args):
        raise RuntimeError("died")

    with monkeypatch.context() as patch:
        patch.setattr(module, "serve_snapshot", dying)
        with pytest.raises(RuntimeError, match="died"):
            materialize("carrier", actor="test")
    assert FeatureView.objects.get().live_snapshot_id == first.snapshot
    assert read_online("carrier", ["UA"], now=MOMENT)[0].values["n_7d"] == 3
    assert materialize("carrier", actor="test").rows == 2
    assert OnlineFeature.objects.values("snapshot_id").distinct().count() == 2


def test_nothing_known_by_then_is_refused(view):
    with pytest.raises(EmptyFileError, match="no row was known as of 2000"):
        materialize("carrier", as_of=datetime(2000, 1, 1, tzinfo=UTC), actor="test")
    assert not FeatureSnapshot.objects.exists()


def test_rows_never_known_are_nothing_to_build_from(transactional_db, var_dir, write):
    body = "at,known,carrier,late\n2013-01-01,,UA,true\n2013-01-02,,UA,true\n"
    columns = [{"name": n, "dtype": "timestamp", "role": r} for n, r in (("at", "timestamp"), ("known", "known_at"))]
    columns += [{"name": "carrier", "dtype": "string"}, {"name": "late", "dtype": "boolean"}]
    ingest("flights", [write("f.csv", body)], actor="test", schema=columns)
    apply_feature_view({**CARRIER, "features": CARRIER["features"][:2]}, actor="test")
    with pytest.raises(EmptyFileError, match="no row was known"):
        materialize("carrier", actor="test")


def test_a_key_too_long_for_the_store_is_refused(transactional_db, var_dir, write):
    body = f"at,carrier\n2013-01-01,{'x' * 301}\n"
    ingest("flights", [write("f.csv", body)], actor="test", roles=ColumnRoles(timestamp="at"))
    apply_feature_view({**CARRIER, "features": CARRIER["features"][:1]}, actor="test")
    with pytest.raises(DefinitionError, match="may have 300 characters; got 301"):
        materialize("carrier", actor="test")


def test_reading_what_is_not_there_is_refused(view):
    with pytest.raises(NotMaterializedError, match="`materialize carrier` makes them"):
        read_online("carrier", ["UA"])
    with pytest.raises(UnknownFeatureViewError, match="no feature view is named 'none'"):
        read_online("none", ["UA"])


def test_who_began_earlier_and_is_later_gives_way(view, monkeypatch):
    from features.actions import materialize as module

    begin, faster = module.begin_snapshot, []

    def overtaken(*args, **kwargs):
        snapshot = begin(*args, **kwargs)
        if not faster:
            faster.append(None)
            faster[0] = materialize("carrier", full=True, actor="test").snapshot
        return snapshot

    monkeypatch.setattr(module, "begin_snapshot", overtaken)
    with pytest.raises(ConflictError, match="somebody who began later") as refused:
        materialize("carrier", as_of=MOMENT, actor="test")
    assert refused.value.code == "materialize_conflict"
    assert FeatureView.objects.get().live_snapshot_id == faster[0]
    assert set(OnlineFeature.objects.values_list("snapshot_id", flat=True)) == {faster[0]}


def test_a_view_may_expire_after_years(flights):
    apply_feature_view({**CARRIER, "ttl": "3000d"}, actor="test")
    materialize("carrier", as_of=MOMENT, actor="test")
    assert read_online("carrier", ["UA"], now=MOMENT + timedelta(days=2999))[0].status == "present"
    assert read_online("carrier", ["UA"], now=MOMENT + timedelta(days=3001))[0].status == "expired"
