"""Readers never fail and never see two materializations in one answer, while one follows the other."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.actions.apply_feature_view import apply_feature_view
from features.actions.ingest import ingest
from features.actions.materialize import materialize
from features.actions.serve_values import begin_snapshot, fill_snapshot, serve_snapshot
from features.adapters.online import online_store, read_online
from features.core.point_in_time import EVENT
from features.core.schema import ColumnRoles
from features.errors import OnlineStoreDownError
from features.ground.progress import silent
from features.models import FeatureView
from tests.features.online_stores import STORES
from tests.pipeline.jobs import child_environ

FLIPS, ENTITIES = 100, 12
START = datetime(2024, 1, 1, tzinfo=UTC)
KEYS = [f"e{entity}" for entity in range(ENTITIES)]
FEATURES = [
    {"name": "mark", "function": "last", "column": "mark", "window": "90d"},
    {"name": "same", "function": "max", "column": "mark", "window": "90d"},
]


@pytest.fixture
def marked(var_dir, transactional_db, tmp_path):
    """Make a view whose values, as of the n-th hour, are n for every entity."""
    hours = [hour for hour in range(FLIPS + 1) for _ in KEYS]
    at = pa.array([START + timedelta(hours=hour) for hour in hours], pa.timestamp("us", tz="UTC"))
    table = pa.table({"at": at, "e": KEYS * (FLIPS + 1), "mark": pa.array(hours, pa.float64())})
    pq.write_table(table, tmp_path / "m.parquet")
    ingest("d", [tmp_path / "m.parquet"], actor="test", roles=ColumnRoles(timestamp="at"))
    return apply_feature_view({"name": "v", "dataset": "d", "entity": "e", "features": FEATURES}, actor="test")


def moment(hour):
    return START + timedelta(hours=hour, seconds=1)


def flip(view, hour):
    """Serve the values of an hour: computed now and then, otherwise made, so that flips follow each other closely."""
    if hour % 10 == 0:
        materialize("v", as_of=moment(hour), full=hour % 20 == 0, actor="test")
        return
    live = FeatureView.objects.get().live_snapshot
    about = {"as_of": moment(hour), "fingerprint": f"{hour:064}", "columns": live.columns, "watermark": live.watermark}
    target = begin_snapshot(view, live.dataset_version, about, actor="test")
    marks = {name: [float(hour)] * ENTITIES for name in ("mark", "same")}
    events = pa.array([moment(hour) - timedelta(seconds=1)] * ENTITIES, pa.timestamp("us", tz="UTC"))
    fill_snapshot(online_store(), target, KEYS, pa.table({**marks, EVENT: events}), silent)
    serve_snapshot(online_store(), view, target, silent)


@pytest.mark.parametrize("store", STORES, indirect=True)
@pytest.mark.django_db(transaction=True)
def test_readers_see_one_materialization_at_a_time_through_a_hundred_flips(store, marked, tmp_path):
    materialize("v", as_of=moment(0), actor="test")
    stop = tmp_path / "stop"
    command = [sys.executable, "-m", "tests.features.online_reader", "v", str(stop), *KEYS]
    readers = [subprocess.Popen(command, env=child_environ(), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        assert [reader.stdout.readline() for reader in readers] == ["reading\n"] * 2
        for hour in range(1, FLIPS + 1):
            flip(marked, hour)
    finally:
        stop.write_text("")
        answers = [json.loads(reader.communicate(timeout=60)[0]) for reader in readers]
    for answer in answers:
        assert answer["faults"] == []
        assert answer["reads"] > 50
        assert answer["marks"] > 10
    assert read_online("v", ["e0"])[0].values == {"mark": FLIPS, "same": FLIPS}


@pytest.mark.redis
@pytest.mark.parametrize("store", ["redis"], indirect=True)
@pytest.mark.django_db(transaction=True)
def test_redis_that_lost_the_values_says_so(store, marked):
    from features.errors import NotMaterializedError

    made = materialize("v", as_of=moment(1), actor="test")
    online_store()._writer.flushdb()
    with pytest.raises(NotMaterializedError, match="`materialize v` makes them"):
        read_online("v", KEYS)
    again = materialize("v", as_of=moment(1), actor="test")
    assert (again.mode, again.snapshot > made.snapshot) == ("full", True)
    assert read_online("v", ["e1"])[0].values["mark"] == 1


@pytest.mark.redis
@pytest.mark.parametrize("store", ["redis"], indirect=True)
@pytest.mark.django_db(transaction=True)
def test_redis_takes_back_what_was_served_and_what_never_was(store, marked):
    redis = online_store()._writer
    for hour in range(1, 4):
        materialize("v", as_of=moment(hour), actor="test")
    lives = sorted(redis.ttl(key) for key in redis.keys("mlsite:online:*:*"))
    # One is served and stays; those before it go by themselves.
    assert lives[0] == -1
    assert all(0 < life <= 3600 for life in lives[1:])
    assert len(lives) == 3


@pytest.mark.django_db(transaction=True)
def test_redis_that_is_away_is_an_error_and_nothing_is_missing(marked, monkeypatch):
    from django.conf import settings

    from features.adapters import online

    section = type(settings.CONFIG.redis).model_validate({"url": "redis://127.0.0.1:1/0"})
    features = settings.CONFIG.features.model_copy(update={"online_store": "redis"})
    config = settings.CONFIG.model_copy(update={"redis": section, "features": features})
    monkeypatch.setattr(settings, "CONFIG", config)
    online.online_store.cache_clear()
    try:
        with pytest.raises(OnlineStoreDownError, match="the online store in Redis does not answer") as refused:
            read_online("v", KEYS)
        assert refused.value.code == "online_store_down"
        with pytest.raises(OnlineStoreDownError):
            materialize("v", as_of=moment(1), actor="test")
    finally:
        online.online_store.cache_clear()
