"""Made-up rows follow the whole contract: every one is valid, whatever the contract says."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.actions.ingest import ingest, ingest_synthetic
from features.adapters.delta import read_table
from features.core.column import whole
from features.core.pattern_texts import pattern_texts
from features.core.schema import ColumnRoles
from features.errors import DatasetRulesBrokenError, SchemaError
from features.models import ContractVersion, Dataset, DatasetVersion

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]
PATTERNS = [
    r"[A-Z]{2}-\d{4}", r"(north|south)( east| west)?", r"\w+@\w+\.(com|org)", r"[^a-z]{3}", r"^N[1-9]\d{0,3}[A-Z]*$",
    r"a+?b*c?|x{3}", r".{1,4}", r"\s*\$\d{1,3}(\.\d\d)?", r"[-+a\]]", r"(?:ab|c)*(?P<end>z)",
]  # fmt: skip
INTEGERS = st.one_of(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(-5, 5))
TIMES = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(datetime.isoformat)


def bounded(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    def bounds(pair: list[Any]) -> dict[str, Any]:
        low, high = sorted(pair)
        return {"min": low, "max": high}

    one = st.one_of(values.map(lambda low: {"min": low}), values.map(lambda high: {"max": high}))
    return st.one_of(st.just({}), one, st.lists(values, min_size=2, max_size=2).map(bounds))


RULES = {
    "integer": st.one_of(bounded(INTEGERS), st.just({"allowed": [3, 5, 9]})),
    "number": bounded(st.floats(-1e307, 1e307)),
    "boolean": st.just({}),
    "string": st.one_of(
        st.just({}), st.sampled_from(PATTERNS).map(lambda one: {"pattern": one}),
        st.just({"allowed": ["a", "b", "c1"], "pattern": "[a-c]"}),
    ),
    "timestamp": bounded(TIMES),
}  # fmt: skip


@st.composite
def contracts(draw: st.DrawFn) -> list[dict[str, Any]]:
    kinds = draw(st.lists(st.sampled_from(list(RULES)), min_size=1, max_size=5))
    columns = [
        {"name": f"c{place}", "dtype": kind, "nullable": draw(st.booleans()), **draw(RULES[kind])}
        for place, kind in enumerate(kinds)
    ]
    columns[0]["role"] = draw(st.sampled_from(["feature", "target", "entity"]))
    wide = draw(st.sampled_from(["integer", "number", "string"]))
    columns.append({"name": "u", "dtype": wide, "unique": True})
    at = {"name": "at", "dtype": "timestamp", "role": "timestamp", "nullable": False, "unique": draw(st.booleans())}
    known = {"name": "known", "dtype": "timestamp", "role": "known_at", "unique": draw(st.booleans())}
    return [*columns, at | draw(st.just({}) | TIMES.map(lambda low: {"min": low})), known]


@given(columns=contracts(), seed=st.integers(0, 99))
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_made_up_rows_are_all_valid_and_more_of_them_are_too(columns: list[dict[str, Any]], seed: int) -> None:
    share = {"columns": {columns[0]["name"]: 0.0}}
    schema = {"columns": columns, "rules": {"max_missing": share, "monotone_time": True}}
    try:
        first = ingest_synthetic("s", 40, seed=seed, actor="test", schema=schema)
        second = ingest_synthetic("s", 30, seed=seed + 1, actor="test")
        assert (first.rows_valid, first.rows_rejected, second.rows_total) == (40, 0, 70)
    finally:
        DatasetVersion.objects.all().delete()
        ContractVersion.objects.all().delete()
        Dataset.objects.all().delete()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_texts_of_a_pattern_match_it(pattern: str) -> None:
    texts = pattern_texts(pattern)
    some = [texts.text(texts.count * place // 200) for place in range(200)]
    some += [texts.text(number) for number in islice(range(min(texts.count, 100)), 100)]
    assert pc.all(pc.match_substring_regex(pa.array(some), whole(pattern))).as_py(), some


@pytest.mark.parametrize(
    ("pattern", "what"), [(r"\bx", r"\b"), (r"\pL", r"\p"), ("[[:alpha:]]", "[:"), ("(?i)a", "(?i"), ("a^b", "^")]
)
def test_a_pattern_that_is_not_understood_is_refused_by_name(pattern: str, what: str) -> None:
    schema = [{"name": "x", "dtype": "string", "pattern": pattern}]
    with pytest.raises(SchemaError) as refused:
        ingest_synthetic("s", 5, seed=0, actor="test", schema=schema)
    assert f"no text can be made up for the pattern {pattern!r}: it holds {what!r}" in refused.value.message
    assert not Dataset.objects.exists()


def test_unique_values_are_none_of_those_there_are(write: Any) -> None:
    path = write("d.csv", "id,tail\n1,N1\n2,N2\n4,N4\n")
    columns = [
        {"name": "id", "dtype": "integer", "min": 1, "max": 9, "unique": True},
        {"name": "tail", "dtype": "string", "pattern": r"N\d", "unique": True},
    ]
    ingest("d", [path], actor="test", schema=columns)
    ingest_synthetic("d", 6, seed=0, actor="test")
    table = read_table("d", DatasetVersion.objects.resolve("d").delta_version)
    assert sorted(table["id"].to_pylist()) == list(range(1, 10))
    assert len(set(table["tail"].to_pylist())) == 9
    with pytest.raises(SchemaError, match="column 'id' is unique, and has not enough values left for 1 rows"):
        ingest_synthetic("d", 1, seed=1, actor="test")


def test_rows_of_a_dataset_that_must_be_fresh_end_now(write: Any) -> None:
    path = write("d.csv", "at,x\n2024-01-01T00:00:00Z,1\n")
    ingest("d", [path], actor="test", roles=ColumnRoles(timestamp="at"))
    Dataset.objects.update(
        rules={"freshness": {"max_age": "1h", "on_break": "fail"}, "monotone_time": {"on_break": "fail"}}
    )
    made = ingest_synthetic("d", 1000, seed=0, actor="test")
    newest = DatasetVersion.objects.get(number=made.version).last_event_at
    assert newest is not None
    assert timedelta() <= datetime.now(UTC) - newest < timedelta(hours=1)


def test_rows_that_can_not_be_enough_are_refused_by_the_rule(write: Any) -> None:
    schema = {"columns": [{"name": "x", "dtype": "integer"}], "rules": {"row_count": 100}}
    with pytest.raises(DatasetRulesBrokenError, match="row_count"):
        ingest_synthetic("s", 99, seed=0, actor="test", schema=schema)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ({"dtype": "integer", "min": 0.2, "max": 0.8}, "no whole number lies between its bounds"),
        ({"dtype": "string", "allowed": ["a"], "pattern": "b"}, "none of its allowed values meets its other rules"),
        ({"dtype": "boolean", "unique": True}, "has not enough values left for 5 rows"),
    ],
)
def test_a_contract_no_row_can_meet_is_refused_by_column(column: dict[str, Any], text: str) -> None:
    with pytest.raises(SchemaError, match=rf"column 'x'.*{text}"):
        ingest_synthetic("s", 5, seed=0, actor="test", schema=[{"name": "x", **column}])
