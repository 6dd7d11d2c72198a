import json
from io import StringIO

import pytest
import yaml
from django.core.management import CommandError, call_command

from features.errors import DefinitionError, FileMissingError, SchemaError, UnreadableFileError
from features.models import FeatureView
from tests.features.conftest import FLIGHTS
from tests.features.test_snapshots import CARRIER

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments, as_json=True):
    out = StringIO()
    call_command(*map(str, arguments), *(["--json"] if as_json else []), stdout=out)
    return json.loads(out.getvalue()) if as_json else out.getvalue()


@pytest.fixture
def ingested(var_dir, write):
    path = write("flights.csv", FLIGHTS)
    return run(
        "ingest", "flights", path, "--timestamp", "at", "--known-at", "known", "--target", "late", "--ignore", "delay",
        "--entity", "tail", "--actor", "user:ann",
    )  # fmt: skip


def test_ingest_prints_what_the_contract_says(ingested):
    assert ingested.keys() == {
        "dataset", "version", "fingerprint", "rows_read", "rows_valid", "rows_rejected", "reasons", "created",
        "warnings",
        "mode", "rows_replaced", "rows_total",
    }  # fmt: skip
    assert (ingested["rows_valid"], ingested["created"]) == (5, True)


def test_ingest_takes_every_option(var_dir, write):
    path = write("data.txt", "1,-\n2,b\n")
    made = run("ingest", "d", path, "--format", "csv", "--columns", "x, y", "--no-header", "--na", "-", "--dry-run")
    assert (made["rows_valid"], made["created"]) == (2, False)
    schema = write("s.yaml", "- {name: x, dtype: integer, min: 2}\n- {name: y, dtype: string}\n")
    how = ("--format", "csv", "--columns", "x,y", "--no-header", "--schema", schema, "--max-rejected", "0.5")
    assert run("ingest", "d", path, *how)["reasons"] == {"below_minimum": 1}
    assert run("ingest", "d", "--synthetic", "10", "--seed", "3")["version"] == 2


def test_ingest_wants_files_or_a_number_of_rows(ingested, tmp_path):
    for arguments in ((), (tmp_path / "x.csv", "--synthetic", "3")):
        with pytest.raises(CommandError, match="name files, or --synthetic N") as refused:
            run("ingest", "flights", *arguments)
        assert refused.value.returncode == 2


def test_a_view_is_planned_declared_listed_built_and_read(ingested, write):
    path = write("views.yaml", yaml.safe_dump({"views": [CARRIER]}))
    assert run("features", "apply", path, "--plan")["plan"][0]["change"] == "new"
    assert not FeatureView.objects.exists()
    assert run("features", "apply", path)["views"][0]["version"] == 1
    assert run("features", "list")["views"][0]["materialized_as_of"] is None
    made = run("materialize", "carrier", "--as-of", "2013-01-03T11:00:00")
    assert made.keys() == {"snapshot", "rows", "changed", "seconds", "mode"}
    assert run("features", "list")["views"][0]["materialized_as_of"] == "2013-01-03T11:00:00+00:00"
    rows = run("features", "get", "carrier", "UA", "ZZ")["rows"]
    assert [row["status"] for row in rows] == ["present", "missing"]
    made = run("snapshot", "s", "--dataset", "flights", "--view", "carrier", "--as-of", "2013-01-03T12:00:00+01:00")
    assert made.keys() == {"snapshot", "rows", "columns", "fingerprint", "findings"}
    assert (made["rows"], made["columns"][-1]) == (4, "last_delay")


def test_one_view_alone_is_a_file_too(ingested, write):
    assert run("features", "apply", write("v.yaml", yaml.safe_dump(CARRIER)))["views"][0]["view"] == "carrier"


def test_datasets_lists_and_shows(ingested):
    assert run("datasets")["datasets"] == [{"name": "flights", "versions": 1, "rows": 5}]
    one = run("datasets", "flights")
    assert one["versions"][0]["rows_valid"] == 5
    assert [column["name"] for column in one["schema"]][:2] == ["at", "known"]


def test_an_exported_schema_can_be_given_back(ingested, tmp_path, write):
    path = tmp_path / "schema.yaml"
    assert run("schema", "flights", "--export", path)["columns"] == 6
    assert "file: " in run("schema", "flights", "--export", path, as_json=False)
    assert "name: carrier" in run("schema", "flights", as_json=False)
    made = run("ingest", "copy", write("c.csv", FLIGHTS), "--schema", path)
    assert made["rows_valid"] == 5
    assert run("schema", "copy")["columns"] == run("schema", "flights")["columns"]


def test_files_that_are_no_schema_are_refused(var_dir, write, tmp_path):
    data = write("d.csv", "x\n1\n")
    for body, kind, text in (
        ("columns: 3", SchemaError, "must hold columns, a list"),
        ("a: [", UnreadableFileError, "is not YAML"),
        ("- {name: x}", SchemaError, "needs name and dtype"),
        ("{max_rejected: few, columns: [{name: x, dtype: integer}]}", SchemaError, "from 0 to 1; got few"),
        ("{max_rejected: .nan, columns: [{name: x, dtype: integer}]}", SchemaError, "from 0 to 1; got nan"),
    ):
        with pytest.raises(kind) as refused:
            run("ingest", "d", data, "--schema", write("s.yaml", body))
        assert text in refused.value.message
    with pytest.raises(FileMissingError, match="no such file"):
        run("ingest", "d", data, "--schema", tmp_path / "none.yaml")


def test_a_file_without_views_is_refused(var_dir, write):
    with pytest.raises(DefinitionError, match="must hold views"):
        run("features", "apply", write("v.yaml", "views: []"))


@pytest.mark.parametrize("text", ["soon", "0001-01-01T00:00:00+05:00"])
def test_a_time_that_is_none_is_refused(ingested, text):
    with pytest.raises(SchemaError, match="a time is ISO 8601"):
        run("snapshot", "s", "--dataset", "flights", "--as-of", text)


def test_features_are_told_in_lines(ingested, write):
    assert "`features apply FILE.yaml` declares them" in run("features", "list", as_json=False)
    path = write("v.yaml", yaml.safe_dump({**CARRIER, "ttl": "9d"}))
    planned = run("features", "apply", path, "--plan", as_json=False)
    assert planned.splitlines() == [
        "carrier v1: new",
        "  + entity: carrier",
        "  + ttl: 9d",
        "  + feature n_7d: count over 7d",
        "  + feature late_7d: share of late over 7d",
        "  + feature last_delay: last of delay over 1d",
    ]
    run("features", "apply", path)
    assert run("features", "apply", path, "--plan", as_json=False) == "carrier v1: unchanged\n"
    listed = "carrier v1 of flights by carrier: n_7d, late_7d, last_delay; "
    assert run("features", "list", as_json=False) == f"{listed}not materialized\n"
    run("materialize", "carrier", "--as-of", "2013-01-03T11:00:00")
    assert run("features", "list", as_json=False) == f"{listed}served as of 2013-01-03T11:00:00Z\n"
    rows = run("features", "get", "carrier", "UA", "ZZ", as_json=False)
    assert rows == "UA  expired  as of 2013-01-02T11:30:00Z\nZZ  missing\n"
    run("features", "apply", write("v.yaml", yaml.safe_dump(CARRIER)))
    run("materialize", "carrier", "--as-of", "2013-01-03T11:00:00")
    rows = run("features", "get", "carrier", "AA", as_json=False)
    assert rows == "AA  present  as of 2013-01-02T10:00:00Z  n_7d 1, late_7d 0.0, last_delay -\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(["apply"], "name at least one file"), (["get"], "name a view and"), (["get", "carrier"], "at least one key")],
)
def test_features_wants_to_know_of_what(transactional_db, var_dir, arguments, text):
    with pytest.raises(CommandError, match=text) as refused:
        run("features", *arguments)
    assert refused.value.returncode == 2
