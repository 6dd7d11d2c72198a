"""What edits make of a contract, without a database."""

import pytest

from features.core.contract import contract_from
from features.core.contract_edits import contract_changes, edited, is_literal, read_changes
from features.errors import SchemaError

CONTRACT = contract_from(
    {
        "columns": [
            {"name": "at", "dtype": "timestamp", "nullable": False, "role": "timestamp"},
            {"name": "a.b", "dtype": "number"},
            {"name": "s", "dtype": "string", "allowed": ["x"]},
        ],
        "max_rejected": 0.1,
    }
)


def changed(changes):
    return {one.path: (one.before, one.after) for one in contract_changes(CONTRACT, edited(CONTRACT, changes))}


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("a.b.min", 0, {"a.b.min": (None, 0)}),
        ("s.allowed", None, {"s.allowed": (["x"], None)}),
        ("s.pattern", "x+", {"s.pattern": (None, "x+")}),
        ("at.max", "2030-01-01", {"at.max": (None, "2030-01-01T00:00:00Z")}),
        ("s.role", "target", {"s.role": ("feature", "target")}),
        ("max_rejected", None, {"max_rejected": (0.1, None)}),
        ("on_fault", "fail", {"on_fault": (None, "fail")}),
        ("require_approval", True, {"require_approval": (None, True)}),
        ("timezone", "Europe/Berlin", {"timezone": (None, "Europe/Berlin")}),
        ("rules.freshness", "2d", {"rules.freshness": (None, {"on_break": "fail", "max_age": "2d"})}),
        ("rules.monotone_time", "warn", {"rules.monotone_time": (None, {"on_break": "warn"})}),
        ("rules.monotone_time", True, {"rules.monotone_time": (None, {"on_break": "fail"})}),
        ("rules.monotone_time", False, {}),
        ("rules.row_count", 5, {"rules.row_count": (None, {"on_break": "fail", "min": 5})}),
        ("rules.row_count.max", 9, {"rules.row_count": (None, {"on_break": "fail", "max": 9})}),
        ("rules.max_missing.a.b", 0.5, {"rules.max_missing": (None, {"on_break": "fail", "columns": {"a.b": 0.5}})}),
        ("rules.max_missing", {"s": 0}, {"rules.max_missing": (None, {"on_break": "fail", "columns": {"s": 0}})}),
        ("rules.freshness", None, {}),
    ],
)
def test_a_path_says_one_thing(path, value, found):
    assert changed({path: value}) == found


def test_a_rule_keeps_what_is_not_said_again():
    warned = edited(CONTRACT, {"rules.freshness": "2d", "rules.freshness.on_break": "warn"})
    again = edited(warned, {"rules.freshness": "3d"})
    assert again.rules["freshness"] == {"on_break": "warn", "max_age": "3d"}
    assert edited(again, {"rules.freshness.max_age": None}).rules == {}
    assert warned.rules["freshness"]["max_age"] == "2d"


def test_a_rule_goes_with_its_last_column():
    both = edited(CONTRACT, {"rules.max_missing": {"s": 0.1, "a.b": 0.2}})
    one = edited(both, {"rules.max_missing.s": None})
    assert one.rules["max_missing"]["columns"] == {"a.b": 0.2}
    assert edited(one, {"rules.max_missing.a.b": None}).rules == {}
    assert both.rules["max_missing"]["columns"] == {"s": 0.1, "a.b": 0.2}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"nope.min": 1}, "there is nothing at 'nope.min'"),
        ({"s.length": 1}, "there is nothing at 's.length'"),
        ({"rules.nope": 1}, "there is nothing at 'rules.nope'"),
        ({"rules.freshness.age": 1}, "rule freshness has max_age, on_break"),
        ({"s.dtype": None}, "needs a dtype"),
        ({"a.b.min": "x"}, "min and max are numbers"),
        ({"at.nullable": True}, "is the timestamp, so it can't be nullable"),
        ({"max_rejected": 2}, "a share from 0 to 1; got 2"),
        ({"on_fault": "stop"}, "on_fault is quarantine or fail; got stop"),
        ({"require_approval": "yes"}, "require_approval is true or false"),
        ({"timezone": "Mars/Base"}, "a time zone is named as in the IANA database, such as UTC or America/New_York"),
        ({"timezone": "../../etc/passwd"}, "a time zone is named"),
        ({"rules.freshness": "soon"}, "max_age is as 90m, 12h or 2d; got soon"),
        ({"rules.row_count.min": 5, "rules.row_count.max": 4}, "min ≤ max; got [5, 4]"),
        ({"rules.row_count.min": 0.5}, "min and max are whole numbers"),
        ({"rules.max_missing.zz": 0.5}, "names columns of the contract"),
        ({"rules.max_missing.s": 5}, "is a share from 0 to 1; got 5"),
        ({"rules.monotone_time": "maybe"}, "on_break is fail or warn; got maybe"),
        ({"at.role": "feature", "rules.freshness": "1d"}, "rule freshness needs a column with the role timestamp"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, text):
    with pytest.raises(SchemaError) as refused:
        edited(CONTRACT, changes)
    assert text in refused.value.message


def test_a_new_timestamp_may_not_be_missing():
    plain = contract_from([{"name": "t", "dtype": "timestamp"}, {"name": "x", "dtype": "number"}])
    (column, _) = edited(plain, {"t.role": "timestamp"}).columns
    assert (column.role, column.nullable) == ("timestamp", False)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"columns": 5}, "a contract holds columns, a list; got 5"),
        ({"columns": [], "owner": "me"}, "a contract has columns, rules, timezone"),
        ({"columns": [{"name": "x", "dtype": "number"}], "rules": [1]}, "rules is a mapping of row_count"),
        ({"columns": [{"name": "x", "dtype": "number"}], "rules": {"size": 1}}, "there is no rule 'size'"),
        ({"columns": [{"name": "x", "dtype": "number"}], "rules": {"row_count": {}}}, "row_count needs max or min"),
    ],
)
def test_a_contract_that_makes_no_sense_is_refused(body, text):
    with pytest.raises(SchemaError) as refused:
        contract_from(body)
    assert text in refused.value.message


def test_a_contract_reads_as_it_was_written():
    full = edited(CONTRACT, {"rules.freshness": "2d", "timezone": "UTC", "s.pii": True, "on_fault": "fail"})
    assert contract_from(full.terms()) == full
    assert full.hidden() == ("s",)


def test_changes_are_read_from_their_texts():
    assert read_changes(["a.pattern=x=y", "b.min="]) == {"a.pattern": "x=y", "b.min": ""}
    for texts in (["a.min"], ["=5"], ["a.min=1", "a.min=2"]):
        with pytest.raises(SchemaError, match=r"PATH=VALUE|may come once"):
            read_changes(texts)
    assert is_literal("s.pattern")
    assert is_literal("rules.freshness")
    assert not is_literal("s.min")
