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
        ({"name": "a", "dtype": "number", "unit": "m"}, "unknown keys ['unit']"),
        ({"name": "a", "dtype": "string", "min": 1}, "only numbers have min and max"),
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
    ],
)
def test_a_column_that_makes_no_sense_is_refused(item, text):
    with pytest.raises(SchemaError) as refused:
        parse_columns([item])
    assert text in refused.value.message


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
