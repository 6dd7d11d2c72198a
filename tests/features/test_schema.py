from datetime import date

import pytest

from features.core.schema import ColumnRoles, arrow_schema, check_names, parse_columns, with_roles
from features.errors import SchemaError


def test_columns_survive_the_way_through_json():
    items = [{"name": "a", "dtype": "integer", "min": 0, "allowed": [1, 2]}, {"name": "t", "dtype": "timestamp"}]
    columns = parse_columns(items)
    assert parse_columns([column.as_dict() for column in columns]) == columns
    assert arrow_schema(columns).names == ["a", "t"]


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"name": "a"}, "needs name and dtype"),
        ({"name": "a", "dtype": "float"}, "has dtype 'float'; allowed: integer"),
        ({"name": "a", "dtype": "number", "role": "label"}, "has role 'label'; allowed: feature"),
        ({"name": "a", "dtype": "number", "units": "m"}, "unknown keys ['units']"),
        ({"name": "a", "dtype": "string", "min": 1}, "only numbers and times have min and max"),
        ({"name": "a", "dtype": "number", "role": "timestamp"}, "must hold times (ISO 8601); it holds number"),
        ({"name": "", "dtype": "number"}, "1 to 200 printable characters"),
        ({"name": "a\x00", "dtype": "number"}, "printable"),
        ("a", "needs name and dtype"),
        ({"name": "a", "dtype": "number", "min": "x"}, "min and max are numbers, min ≤ max; got min x"),
        ({"name": "a", "dtype": "number", "max": float("nan")}, "got min None, max nan"),
        ({"name": "a", "dtype": "number", "min": 2, "max": 1}, "got min 2, max 1"),
        ({"name": "a", "dtype": "string", "allowed": 5}, "allowed is a list; got 5"),
        ({"name": "a", "dtype": "string", "allowed": ["YES", False]}, "texts in quotes; got [False]"),
        ({"name": "a", "dtype": "timestamp", "allowed": [date(2013, 1, 1)]}, "allowed holds values of timestamp"),
        ({"name": "a", "dtype": "integer", "allowed": ["1"]}, "allowed holds values of integer"),
        ({"name": "a", "dtype": "string", "allowed": []}, "allowed holds 1 to 10000 values; got 0"),
        ({"name": "a", "dtype": "integer", "max": 2**63}, "min and max are numbers"),
        (
            {"name": "a", "dtype": "timestamp", "min": "soon"},
            "min and max are times (ISO 8601), min ≤ max; got min soon",
        ),
        ({"name": "a", "dtype": "timestamp", "min": "0001-01-01T00:00:00+05:00"}, "no calendar holds"),
        ({"name": "a", "dtype": "timestamp", "min": "2014-01-02", "max": "2014-01-01"}, "min ≤ max"),
        ({"name": "a", "dtype": "number", "pattern": "a"}, "only text has a pattern"),
        ({"name": "a", "dtype": "string", "pattern": "["}, "is no pattern (RE2 syntax"),
        ({"name": "a", "dtype": "string", "pattern": "a)|(b"}, "is no pattern (RE2 syntax"),
        ({"name": "a", "dtype": "string", "pattern": "(?=a)"}, "no look-around"),
        ({"name": "a", "dtype": "string", "pattern": 5}, "a pattern is a text of 1 to 500"),
        ({"name": "a", "dtype": "string", "unique": "yes"}, "unique is true or false"),
        ({"name": "a", "dtype": "string", "pii": 1}, "pii is true or false"),
        ({"name": "a", "dtype": "string", "unit": 1}, "unit is a text"),
    ],
)
def test_a_column_that_makes_no_sense_is_refused(item, text):
    with pytest.raises(SchemaError) as refused:
        parse_columns([item])
    assert text in refused.value.message


def test_every_property_survives_and_what_is_not_said_is_not_kept():
    item = {
        "name": "t", "dtype": "timestamp", "nullable": False, "min": "2013-01-01", "max": "2014-01-01T00:00:00+01:00",
        "unique": True, "pii": True, "unit": "UTC", "description": "when",
    }  # fmt: skip
    (column,) = parse_columns([item])
    body = column.as_dict()
    assert (body["min"], body["max"]) == ("2013-01-01T00:00:00Z", "2013-12-31T23:00:00Z")
    assert parse_columns([body]) == (column,)
    (plain,) = parse_columns([{"name": "s", "dtype": "string"}])
    assert plain.as_dict().keys() == {"name", "dtype", "nullable", "min", "max", "allowed", "role"}


def test_repeated_names_are_named():
    with pytest.raises(SchemaError, match="repeated: \\['b'\\]"):
        check_names(["a", "b", "b"])


def test_no_and_too_many_columns_are_refused():
    for names in ([], [f"c{i}" for i in range(501)]):
        with pytest.raises(SchemaError, match="1 to 500 columns"):
            check_names(names)


def test_two_targets_are_refused():
    with pytest.raises(SchemaError, match="one column may have the role target"):
        parse_columns([{"name": n, "dtype": "number", "role": "target"} for n in "ab"])


def test_roles_are_given_and_order_needs_a_time():
    columns = parse_columns([{"name": "a", "dtype": "number"}, {"name": "t", "dtype": "timestamp"}])
    given = with_roles(columns, ColumnRoles(target="a", timestamp="t"))
    assert [(c.role, c.nullable) for c in given] == [("target", True), ("timestamp", False)]


def test_a_role_for_a_column_that_is_not_there_is_refused():
    columns = parse_columns([{"name": "a", "dtype": "number"}])
    with pytest.raises(SchemaError, match=r"no column named \['b'\]; there are: a"):
        with_roles(columns, ColumnRoles(target="b"))


def test_two_roles_for_one_column_are_refused():
    with pytest.raises(SchemaError, match="a column may have one role"):
        ColumnRoles(target="a", entity=("a",)).by_column()
