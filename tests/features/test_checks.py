import pyarrow as pa

from features.core.checks import Fault, RowChecker, whole_rows
from features.core.schema import parse_columns

COLUMNS = parse_columns(
    [
        {"name": "n", "dtype": "number", "nullable": False, "min": 0, "max": 10},
        {"name": "k", "dtype": "string", "allowed": ["a", "b"]},
    ]
)


def check(n, k):
    return RowChecker(COLUMNS).check(pa.table({"n": pa.array(n, pa.string()), "k": pa.array(k, pa.string())}))


def test_all_faults_of_a_row_are_kept_in_order():
    found = check(["5", "11", None, "x", "-1"], ["a", "z", "b", None, "c"])
    assert [(f.row, f.column, f.rule, f.value) for f in found.faults] == [
        (1, "n", "above_maximum", "11.0"),
        (1, "k", "not_allowed", "z"),
        (2, "n", "missing_value", None),
        (3, "n", "not_number", "x"),
        (4, "n", "below_minimum", "-1.0"),
        (4, "k", "not_allowed", "c"),
    ]
    assert found.valid.tolist() == [True, False, False, False, False]


def test_valid_rows_come_typed():
    found = check(["1", "2"], ["a", None])
    assert found.table.to_pylist() == [{"n": 1.0, "k": "a"}, {"n": 2.0, "k": None}]
    assert found.faults == []


def test_shown_values_are_bounded():
    fault = check(["x" * 500], ["a"]).faults[0]
    assert isinstance(fault, Fault)
    assert len(fault.value) == 120


def test_a_contract_without_rules_checks_types_alone():
    checker = RowChecker(parse_columns([{"name": "n", "dtype": "integer"}]))
    assert checker.check(pa.table({"n": ["1", "x", None]})).valid.tolist() == [True, False, True]


def test_whole_rows_are_kept_as_they_came():
    raw = pa.table({"n": ["1", "x"], "k": ["é", None]})
    assert whole_rows(raw, pa.array([1]).to_numpy()) == ['{"n": "x", "k": null}']


def test_text_with_nul_is_a_fault():
    checker = RowChecker(parse_columns([{"name": "s", "dtype": "string"}]))
    checked = checker.check(pa.table({"s": ["a", "b\x00c"]}))
    assert [(fault.row, fault.rule) for fault in checked.faults] == [(1, "not_text")]
