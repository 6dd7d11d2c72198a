import pytest

from features.core.windows import check_columns, parse_view, result_dtype, seconds
from features.errors import DefinitionError

VIEW = {
    "name": "carrier",
    "dataset": "flights",
    "entity": "carrier",
    "features": [{"name": "n", "function": "count", "window": "7d"}],
}
DTYPES = {"carrier": "string", "delay": "number", "late": "boolean", "at": "timestamp"}


@pytest.mark.parametrize(
    ("text", "length"), [("90s", 90), ("5m", 300), ("1h", 3600), ("90d", 7_776_000), ("2w", 1_209_600)]
)
def test_durations(text, length):
    assert seconds(text) == length


@pytest.mark.parametrize("text", ["", "0d", "1.5h", "1y", "-1d", "99999d", "h"])
def test_other_durations_are_refused(text):
    with pytest.raises(DefinitionError, match="a duration is a number and one of"):
        seconds(text)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"features": []}, "needs an entity column and features"),
        ({"entity": []}, "needs an entity column and features"),
        ({"name": "a b"}, "a view's name is letters"),
        ({"joins": 1}, "a view needs name, dataset"),
        ({"features": [{"name": "n", "function": "median", "window": "7d"}]}, "function 'median'; allowed: count"),
        ({"features": [{"name": "n", "function": "mean", "window": "7d"}]}, "needs a column"),
        ({"features": [{"name": "n", "function": "count"}]}, "a feature has name"),
        ({"features": [{"name": "carrier", "function": "count", "window": "1d"}]}, "names of their own"),
        ({"features": [{"name": "\n", "function": "count", "window": "1d"}]}, "printable"),
        (
            {"features": [{"name": "n", "column": "delay", "function": "mean", "window": "1d", "condition": "> 1"}]},
            "allowed for share alone",
        ),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(change, text):
    with pytest.raises(DefinitionError) as refused:
        parse_view({**VIEW, **change})
    assert text in refused.value.message


def test_a_definition_that_is_no_mapping_is_refused():
    with pytest.raises(DefinitionError, match="got list"):
        parse_view([])


def feature(**item):
    return parse_view({**VIEW, "features": [{"name": "f", "window": "1d", **item}]})


def test_columns_must_be_there():
    with pytest.raises(DefinitionError, match=r"has no columns \['speed'\]"):
        check_columns(feature(column="speed", function="mean"), DTYPES)


@pytest.mark.parametrize(
    ("column", "function"), [("carrier", "mean"), ("delay", "share"), ("at", "last"), ("carrier", "min")]
)
def test_columns_must_be_of_a_type_the_function_takes(column, function):
    with pytest.raises(DefinitionError, match="the column holds"):
        check_columns(feature(column=column, function=function), DTYPES)


def test_functions_and_their_dtypes():
    for item, dtype in (
        ({"function": "count"}, "integer"),
        ({"function": "share", "column": "late"}, "number"),
        ({"function": "share", "column": "delay", "condition": ">= 15"}, "number"),
        ({"function": "last", "column": "carrier"}, "string"),
    ):
        view = feature(**item)
        check_columns(view, DTYPES)
        assert result_dtype(view.features[0], DTYPES) == dtype


def test_the_digest_tells_values_apart_and_not_owners():
    same = parse_view({**VIEW, "owner": "x", "entity": ["carrier"]})
    assert parse_view(VIEW).digest == same.digest
    assert parse_view({**VIEW, "ttl": "1d"}).digest != same.digest


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"features": None}, "a view's features are a list; got None"),
        ({"features": 5}, "a view's features are a list; got 5"),
        ({"entity": 5}, "a column's name or a list of them; got 5"),
        ({"entity": ["carrier", 1]}, "a column's name or a list of them; got ['carrier', 1]"),
    ],
)
def test_a_definition_of_another_shape_is_refused(change, text):
    with pytest.raises(DefinitionError) as refused:
        parse_view({**VIEW, **change})
    assert text in refused.value.message


@pytest.mark.parametrize("text", ["365d", "3660d", "316224000s"])
def test_a_long_duration_is_one_in_seconds_too(text):
    assert seconds(f"{seconds(text)}s") == seconds(text)


@pytest.mark.parametrize("condition", [">= late", "== nan", "< 1e999"])
def test_a_condition_compares_numbers_with_a_number(condition):
    with pytest.raises(DefinitionError, match="so its condition compares with a number"):
        check_columns(feature(column="delay", function="share", condition=condition), DTYPES)
    check_columns(feature(column="carrier", function="share", condition=condition), DTYPES)
    check_columns(feature(column="delay", function="share", condition=">= '15'"), DTYPES)
