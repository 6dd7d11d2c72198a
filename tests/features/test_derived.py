import pyarrow as pa
import pytest

from features.core.derived import check_inputs, parse_derived
from features.core.evaluate import with_derived
from features.errors import DefinitionError

TABLE = pa.table({
    "a": [6.0, 1.0, None, -2.0],
    "n": pa.array([3, 0, 2, None], pa.int64()),
    "b": [True, False, None, True],
    "min": [1.0, 2.0, 3.0, 4.0],
})  # fmt: skip


def value(expression, table=TABLE):
    return with_derived(table, [parse_derived({"name": "x", "expression": expression})])["x"].to_pylist()


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("a / n", [2.0, None, None, None]),
        ("a + n * 2 - 1", [11.0, 0.0, None, None]),
        ("-a ** 2", [-36.0, -1.0, None, -4.0]),
        ("(-a) ** 0.5", [None, None, None, pytest.approx(2**0.5)]),
        ("a > 0", [True, True, None, False]),
        ("b + 1", [2.0, 1.0, None, 2.0]),
        ("abs(a)", [6.0, 1.0, None, 2.0]),
        ("log1p(a)", [pytest.approx(1.9459101), pytest.approx(0.6931472), None, None]),
        ("min(a, n, 2)", [2.0, 0.0, None, None]),
        ("max(a, n)", [6.0, 1.0, None, None]),
        ("min(min, 2)", [1.0, 2.0, 2.0, 2.0]),
        ("coalesce(a, n, 0)", [6.0, 1.0, 2.0, -2.0]),
        ("where(n > 0, a, 7)", [6.0, 7.0, None, None]),
        ("where(b, 1, 0)", [1.0, 0.0, None, 1.0]),
        ("1e300 * 1e300 + a", [None] * 4),
        ("(" * 90 + "a" + ")" * 90, [6.0, 1.0, None, -2.0]),
        ("a * 0", [0.0, 0.0, None, 0.0]),
    ],
)
def test_an_expression_is_evaluated_row_by_row(expression, wanted):
    assert value(expression) == wanted


def test_a_zero_has_no_sign():
    assert str(value("a * 0")[3]) == "0.0"


def test_of_no_rows_nothing_is_derived():
    assert value("a / n > 1", TABLE.slice(0, 0)) == []


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "it has 0 characters"),
        ("a +", "invalid syntax"),
        ("a" * 501, "it has 501 characters"),
        ("__import__('os').system('true')", "is not allowed"),
        ("a.b", "'a.b' is not allowed"),
        ("a[0]", "'a[0]' is not allowed"),
        ("open(a)", "'open(a)' is not allowed"),
        ("'x'", "is not allowed"),
        ("1j", "is not allowed"),
        ("1 < a < 2", "is not allowed"),
        ("a and b", "is not allowed"),
        ("a // 2", "is not allowed"),
        ("lambda: 1", "is not allowed"),
        ("abs(a, n)", "abs takes 1 to 1 arguments, not 2"),
        ("min(a)", "min takes 2 to 20 arguments, not 1"),
        ("min(*a)", "min takes 2 to 20 arguments, not 1"),
        ("abs(x=a)", "is not allowed"),
        ("1" + "0" * 400, "too large"),
        ("-" * 40 + "a", "nested deeper than 30"),
        ("a\x00", ""),
    ],
)
def test_what_is_no_expression_is_refused(expression, reason):
    with pytest.raises(DefinitionError) as refused:
        parse_derived({"name": "x", "expression": expression})
    assert reason in refused.value.message


@pytest.mark.parametrize("item", [{}, {"name": "x"}, {"name": "x", "expression": "a", "window": "1d"}, "a"])
def test_a_derived_feature_of_another_shape_is_refused(item):
    with pytest.raises(DefinitionError, match="a derived feature has name and expression"):
        parse_derived(item)


def test_a_derived_feature_is_of_features_before_it():
    first, second = (
        parse_derived({"name": name, "expression": text}) for name, text in (("x", "a + 1"), ("y", "x > 2"))
    )
    check_inputs([first, second], {"a": "integer"})
    with pytest.raises(DefinitionError, match=r"'y' names \['x'\], no features before it"):
        check_inputs([second, first], {"a": "integer"})
    with pytest.raises(DefinitionError, match=r"'x' uses \['a'\], which are no numbers"):
        check_inputs([first], {"a": "string"})
