"""Times without a zone: refused, or of the zone the dataset names, to the edges of its summer time."""

import json
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.actions.ingest import ingest
from features.adapters.delta import read_quarantine, read_table
from features.adapters.reading import ReadOptions
from features.core.coerce import coerce, misfit_rules
from features.errors import NaiveTimesError, SchemaError, TooManyRejectedError
from features.models import Dataset, DatasetVersion

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]
ZONE = "America/New_York"
# Local time, and the instant it is; or the rule it breaks, for the clock skipped it or showed it twice.
LOCAL = {
    "2024-01-15 12:00:00": "2024-01-15T17:00:00+00:00",
    "2024-03-10 01:59:59": "2024-03-10T06:59:59+00:00",
    "2024-03-10 02:00:00": "nonexistent_time",
    "2024-03-10 02:59:59": "nonexistent_time",
    "2024-03-10 03:00:00": "2024-03-10T07:00:00+00:00",
    "2024-07-15 12:00:00": "2024-07-15T16:00:00+00:00",
    "2024-11-03 00:59:59": "2024-11-03T04:59:59+00:00",
    "2024-11-03 01:00:00": "ambiguous_time",
    "2024-11-03 01:59:59": "ambiguous_time",
    "2024-11-03 02:00:00": "2024-11-03T07:00:00+00:00",
}
NAIVE = [{"n": place, "at": text} for place, text in enumerate(LOCAL)]


def as_csv(folder, rows):
    path = folder / "z.csv"
    path.write_text("n,at\n" + "".join(f"{row['n']},{row['at']}\n" for row in rows))
    return path


def as_json(folder, rows):
    path = folder / "z.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def as_parquet(folder, rows, unit="ms"):
    path = folder / "z.parquet"
    times = pa.array([datetime.fromisoformat(row["at"]) for row in rows], pa.timestamp(unit))
    pq.write_table(pa.table({"n": [row["n"] for row in rows], "at": times}), path)
    return path


@pytest.mark.parametrize("written", [as_csv, as_json, as_parquet])
def test_local_times_are_instants_to_the_edges_of_summer_time(tmp_path, written):
    added = ingest("d", [written(tmp_path, NAIVE)], actor="test", read=ReadOptions(timezone=ZONE), max_rejected=0.5)
    assert Dataset.objects.get().timezone == ZONE
    stored = {
        row["n"]: row["at"].isoformat()
        for row in read_table("d", DatasetVersion.objects.get().delta_version).to_pylist()
    }
    wanted = dict(enumerate(LOCAL.values()))
    assert stored == {n: text for n, text in wanted.items() if text[0] == "2"}
    refused = {row["row"] - 1: row["reasons"][0]["rule"] for row in read_quarantine("d", added.fingerprint)}
    assert refused == {n: text for n, text in wanted.items() if text[0] != "2"}


@pytest.mark.parametrize("written", [as_csv, as_json, as_parquet])
def test_times_without_a_zone_are_refused_with_a_word_on_how_to_name_it(tmp_path, written):
    path = written(tmp_path, NAIVE)
    with pytest.raises(NaiveTimesError, match="has times without a zone in at; say which zone's clock") as refused:
        ingest("d", [path], actor="test")
    assert "--timezone" in refused.value.message
    assert not Dataset.objects.exists()


def test_a_few_times_without_a_zone_are_their_rows_fault(tmp_path):
    rows = [{"n": n, "at": "2024-01-01T00:00:00Z"} for n in range(50)] + [{"n": 50, "at": "2024-01-01T00:00:00"}]
    assert ingest("d", [as_csv(tmp_path, rows)], actor="test").reasons == {"naive_timestamp": 1}


def test_a_zone_said_by_the_contract_holds_for_what_comes_later(tmp_path):
    columns = [{"name": "n", "dtype": "integer"}, {"name": "at", "dtype": "timestamp"}]
    contract = {"columns": columns, "timezone": ZONE}
    ingest("d", [as_csv(tmp_path, NAIVE[:1])], actor="test", schema=contract)
    ingest("d", [as_json(tmp_path, NAIVE[5:6])], actor="test")
    ingest("d", [as_csv(tmp_path, NAIVE[4:5])], actor="test", read=ReadOptions(timezone=ZONE))
    with pytest.raises(SchemaError, match="times without a zone are of America/New_York, not UTC"):
        ingest("d", [as_csv(tmp_path, NAIVE[6:7])], actor="test", read=ReadOptions(timezone="UTC"))


def test_a_zone_is_not_put_under_a_dataset_that_refused_such_times(tmp_path):
    ingest("d", [as_csv(tmp_path, [{"n": 1, "at": "2024-01-01T00:00:00Z"}])], actor="test")
    with pytest.raises(SchemaError, match="names no zone"):
        ingest("d", [as_csv(tmp_path, NAIVE[:1])], actor="test", read=ReadOptions(timezone=ZONE))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "+02:00", "EST5EDT4"])
def test_a_zone_nobody_knows(tmp_path, zone):
    with pytest.raises(SchemaError, match="IANA"):
        ingest("d", [as_csv(tmp_path, NAIVE)], actor="test", read=ReadOptions(timezone=zone))


def test_times_with_a_zone_are_what_they_say_whatever_the_dataset_names(tmp_path):
    rows = [{"n": 0, "at": "2024-07-01T00:00:00Z"}, {"n": 1, "at": "2024-07-01T00:00:00+0530"}]
    ingest("d", [as_csv(tmp_path, rows)], actor="test", read=ReadOptions(timezone=ZONE))
    found = read_table("d", 0)["at"].to_pylist()
    assert [at.isoformat() for at in found] == ["2024-07-01T00:00:00+00:00", "2024-06-30T18:30:00+00:00"]


def test_a_date_is_the_first_moment_of_its_day():
    days = pa.array(["2024-07-01", "2024-01-01"])
    assert [at.hour for at in coerce(days, "timestamp")[0].to_pylist()] == [0, 0]
    assert [at.hour for at in coerce(days, "timestamp", ZONE)[0].to_pylist()] == [4, 5]
    assert [at.hour for at in coerce(days.cast(pa.date32()), "timestamp", ZONE)[0].to_pylist()] == [4, 5]
    # Clocks in Beirut skip the first hour of that day, those in Havana show it twice.
    skipped, twice = (
        coerce(pa.array([day]), "timestamp", zone)[0].to_pylist()[0].isoformat()
        for day, zone in (("2024-03-31", "Asia/Beirut"), ("2024-11-03", "America/Havana"))
    )
    assert (skipped, twice) == ("2024-03-30T22:00:00+00:00", "2024-11-03T04:00:00+00:00")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.timestamp("s", "UTC"), 10**15),
        (pa.timestamp("s"), -(10**15)),
        (pa.date32(), 2**31 - 1),
        (pa.date64(), -(86_400_000 * 10**9)),
    ],
)
def test_typed_times_beyond_what_can_be_held_do_not_wrap(kind, value):
    values = pa.array([value, 0, None], pa.int32() if kind == pa.date32() else pa.int64()).cast(kind)
    typed, bad = coerce(values, "timestamp", "UTC")
    assert bad.tolist() == [True, False, False]
    assert typed.to_pylist()[1].year == 1970
    assert misfit_rules(values[:1], "timestamp", "UTC") == ["time_out_of_range"]


def test_a_share_of_faults_that_has_nothing_to_do_with_zones_is_told_as_it_is(tmp_path):
    rows = [{"n": n, "at": "2024-01-01T00:00:00Z"} for n in range(10)] + [{"n": "x", "at": "2024-01-01T00:00:00Z"}] * 10
    columns = [{"name": "n", "dtype": "integer"}, {"name": "at", "dtype": "timestamp"}]
    with pytest.raises(TooManyRejectedError):
        ingest("d", [as_csv(tmp_path, rows)], actor="test", schema=columns)
