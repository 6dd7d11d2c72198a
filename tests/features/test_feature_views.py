"""Declaring views: from YAML and Python, planned before they are applied."""

import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command

from features.actions.apply_feature_view import apply_feature_view, plan_feature_view
from features.actions.materialize import materialize
from features.actions.take_snapshot import take_snapshot
from features.adapters import extras
from features.adapters.definitions import read_definitions
from features.adapters.engine import open_engine
from features.adapters.online import read_online
from features.core.aggregations import FUNCTIONS
from features.core.capabilities import LACKS, NEEDS, check_engine
from features.core.windows import parse_view
from features.errors import (
    DefinitionError,
    EngineMissingError,
    FeatureTestFailedError,
    FileMissingError,
    UnreadableFileError,
)
from features.models import FeatureSnapshot, FeatureView
from models_store.models import AuditEntry
from tests.features.test_snapshots import CARRIER

pytestmark = pytest.mark.django_db(transaction=True)
RATE = {"name": "rate", "expression": "late_7d / n_7d"}
PYTHON = """
from features.core.aggregations import Aggregation
from features.core.derived import Derived
from features.core.value_tests import ValueTest
from features.core.windows import ViewDefinition

VIEWS = [
    ViewDefinition(
        name="carrier",
        dataset="flights",
        entity=("carrier",),
        ttl_seconds=86_400,
        features=tuple(
            Aggregation(name=f"n_{window}", column="", function="count", window=window) for window in ("1d", "7d")
        ),
        derived=(Derived(name="recent", expression="n_1d / n_7d"),),
        tests=(ValueTest(name="recent is a share", feature="recent", min=0, max=1),),
    )
]
"""


def run(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_a_plan_says_what_each_thing_was_and_would_be(flights):
    apply_feature_view({**CARRIER, "ttl": "2d"}, actor="test")
    first, *others = CARRIER["features"]
    changed = {
        **CARRIER,
        "features": [{**first, "window": "30d"}, *others[:-1], {"name": "new", "function": "count", "window": "1h"}],
        "derived": [RATE],
        "tests": [{"feature": "rate", "min": 0}],
    }
    plan = plan_feature_view(changed)
    assert (plan.version, plan.change) == (2, "changed")
    assert (plan.added, plan.removed, plan.changed) == (["new", "rate"], [others[-1]["name"]], [first["name"]])
    assert [str(change) for change in plan.changes] == [
        "- ttl: 2d",
        f"~ feature {first['name']}: count over 7d → count over 30d",
        "+ feature new: count over 1h",
        "+ feature rate: = late_7d / n_7d",
        f"- feature {others[-1]['name']}: last of delay over 1d",
        "+ test rate min 0: rate min 0",
    ]
    assert FeatureView.objects.count() == 1


def test_a_plan_of_the_same_or_a_new_view_says_so(flights, tmp_path):
    assert plan_feature_view(CARRIER).change == "new"
    apply_feature_view(CARRIER, actor="test")
    assert plan_feature_view(CARRIER).changes == []
    file = tmp_path / "views.json"
    file.write_text(json.dumps({"views": [{**CARRIER, "ttl": "1d"}]}))
    assert run("features", "apply", str(file), "--plan") == "carrier v2: changed\n  + ttl: 1d\n"


def test_a_view_is_declared_in_python(flights, tmp_path):
    file = tmp_path / "views.py"
    file.write_text(PYTHON)
    run("features", "apply", str(file), "--actor", "test")
    view = FeatureView.objects.get()
    assert view.feature_names == ["n_1d", "n_7d", "recent"]
    assert parse_view(read_definitions(file)[0]).digest == view.definition_digest
    assert json.loads(run("features", "list", "--json"))["views"][0]["tests"] == ["recent is a share"]


@pytest.mark.parametrize(
    ("body", "error", "text"),
    [
        ("VIEWS = []", DefinitionError, "must hold VIEWS"),
        ("views = 1", DefinitionError, "must hold VIEWS"),
        ("VIEWS = [", UnreadableFileError, "does not run: SyntaxError"),
        ("1 / 0", UnreadableFileError, "does not run: ZeroDivisionError"),
        (None, FileMissingError, "no such file"),
    ],
)
def test_a_python_file_that_declares_nothing_is_refused(body, error, text, tmp_path):
    file = tmp_path / "views.py"
    if body is not None:
        file.write_text(body)
    with pytest.raises(error, match=text):
        read_definitions(file)


def test_who_owns_a_view_changes_where_it_stands_and_is_audited(flights):
    first = apply_feature_view(CARRIER, actor="test")
    again = apply_feature_view({**CARRIER, "owner": "ops", "description": "Delays."}, actor="test")
    assert (again.pk, again.owner, again.description) == (first.pk, "ops", "Delays.")
    assert apply_feature_view(CARRIER, actor="other").owner == "ops"
    actions = AuditEntry.objects.filter(object_type="feature_view").order_by("pk").values_list("action", "object_id")
    assert list(actions) == [("features.view_applied", "carrier v1"), ("features.view_described", "carrier v1")]


def test_derived_features_are_in_snapshots_and_online(flights):
    apply_feature_view({**CARRIER, "derived": [RATE]}, actor="test")
    snapshot = take_snapshot("s", dataset="flights", views=["carrier"], actor="test")
    assert snapshot.columns[-1]["name"] == "rate"
    materialize("carrier", actor="test")
    (row,) = read_online("carrier", ["AA"], now=datetime(2013, 1, 3, 12, tzinfo=UTC))
    assert row.values["rate"] == pytest.approx(0.0)


def test_a_failing_test_stops_snapshot_and_materialization(flights):
    apply_feature_view({**CARRIER, "tests": [{"name": "busy", "feature": "n_7d", "min": 3}]}, actor="test")
    for act in (
        lambda: take_snapshot("s", dataset="flights", views=["carrier"], actor="test"),
        lambda: materialize("carrier", actor="test"),
    ):
        with pytest.raises(FeatureTestFailedError, match=r"1 of 1 tests failed: 'busy' \(the least n_7d is"):
            act()
    assert not FeatureSnapshot.objects.exists()


def use(monkeypatch, **changes):
    features = settings.CONFIG.features.model_copy(update=changes)
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"features": features}))


def test_an_engine_that_is_not_installed_is_named_with_the_way_to_get_it(monkeypatch):
    use(monkeypatch, engine="polars")
    monkeypatch.setitem(extras.NEEDS, "polars", ["no_such_package"])
    with pytest.raises(EngineMissingError, match=r"pip install -r requirements-polars\.txt"), open_engine():
        pass


def test_spark_without_a_jdk_is_refused(monkeypatch, tmp_path):
    use(monkeypatch, engine="spark")
    monkeypatch.setitem(extras.NEEDS, "spark", [])
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(EngineMissingError, match="Spark needs a JDK"), open_engine():
        pass


def test_a_dask_cluster_that_does_not_answer_is_named(monkeypatch):
    use(monkeypatch, engine="dask", dask_scheduler="nonsense://127.0.0.1:1")
    with pytest.raises(EngineMissingError, match=r"features\.dask_scheduler"), open_engine():
        pass


def test_every_function_can_be_computed_by_every_engine():
    assert NEEDS.keys() == set(FUNCTIONS)
    for engine in LACKS:
        check_engine(parse_view(CARRIER), engine)


def test_a_function_an_engine_lacks_an_operation_for_is_refused():
    needs = {**NEEDS, "last": frozenset({"ordered_last"})}
    check_engine(parse_view(CARRIER), "duckdb", needs=needs)
    with pytest.raises(DefinitionError, match=r"features\.engine dask: Dask has no last value .* with duckdb, polars"):
        check_engine(parse_view(CARRIER), "dask", needs=needs)
