import pyarrow as pa
import pytest

from features.core.check_values import check_values
from features.core.windows import check_columns, parse_view
from features.errors import DefinitionError, FeatureTestFailedError

VIEW = {
    "name": "v",
    "dataset": "d",
    "entity": "e",
    "features": [
        {"name": "n", "function": "count", "window": "1d"},
        {"name": "late", "function": "share", "column": "late", "window": "1d"},
        {"name": "who", "function": "last", "column": "who", "window": "1d"},
    ],
    "derived": [{"name": "any", "expression": "n > 0"}],
}
TABLE = pa.table({"n": [0, 4], "late": [None, 0.5], "who": ["a", None], "any": [False, True], "other": [None, None]})


def view(*tests):
    return parse_view({**VIEW, "tests": list(tests)})


@pytest.mark.parametrize(
    "test",
    [
        {"feature": "n", "not_null": True, "min": 0, "max": 4},
        {"feature": "late", "min": 0.5, "max": 0.5},
        {"feature": "any", "min": 0, "max": 1},
        {"max_missing": 0.5},
        {"feature": "n", "max_missing": 0},
    ],
)
def test_values_that_meet_their_tests_pass(test):
    check_values(view(test), TABLE)
    check_values(view(test), TABLE.slice(0, 0))


@pytest.mark.parametrize(
    ("test", "text"),
    [
        ({"feature": "late", "not_null": True}, "'late not_null' (1 of 2 values of late are missing)"),
        ({"feature": "n", "min": 1}, "'n min 1' (the least n is 0)"),
        ({"feature": "n", "max": 3, "name": "few"}, "'few' (the greatest n is 4)"),
        ({"feature": "any", "max": 0}, "'any max 0' (the greatest any is 1)"),
        ({"max_missing": 0.2}, "'every feature max_missing 0.2' (1 of 2 values of late are missing; 1 of 2"),
    ],
)
def test_a_failing_test_is_named(test, text):
    with pytest.raises(FeatureTestFailedError) as failed:
        check_values(view({"feature": "n", "not_null": True}, test), TABLE)
    assert failed.value.message.startswith("view 'v': 1 of 2 tests failed: ")
    assert text in failed.value.message
    assert len(failed.value.fields["tests"]) == 1


@pytest.mark.parametrize(
    "test",
    [
        5,
        {},
        {"feature": "n"},
        {"min": 0},
        {"not_null": True},
        {"feature": "n", "not_null": "yes"},
        {"feature": "n", "min": "0"},
        {"feature": "n", "max": float("nan")},
        {"feature": "n", "max": True},
        {"max_missing": 1.5},
        {"feature": "n", "median": 3},
    ],
)
def test_a_test_that_demands_nothing_is_refused(test):
    with pytest.raises(DefinitionError):
        view(test)


def test_tests_are_of_the_views_features_and_each_there_once():
    with pytest.raises(DefinitionError, match=r"of unknown features \['x'\]"):
        view({"feature": "x", "not_null": True})
    with pytest.raises(DefinitionError, match="each once"):
        view({"feature": "n", "not_null": True}, {"feature": "n", "not_null": True})


def test_text_has_no_least_value():
    with pytest.raises(DefinitionError, match="'who' is text and has no min or max"):
        check_columns(view({"feature": "who", "min": 0}), {"e": "string", "late": "boolean", "who": "string"})
