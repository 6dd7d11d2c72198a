"""The parser takes good JSON and says what is wrong with the rest."""

import pytest

from predictions.core.parse import parse_json, parse_payload
from predictions.errors import InvalidRequestError


def refused(body: bytes, **options: int) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        parse_payload(body, max_depth=options.get("max_depth", 32))
    return caught.value


def test_rows_records_and_entities_are_told_apart() -> None:
    assert parse_payload(b'{"data": [[1, null]]}', max_depth=32).rows == [[1, None]]
    assert parse_payload(b'{"records": [{"a": 1}]}', max_depth=32).records == [{"a": 1}]
    assert parse_payload(b'{"entities": ["x"]}', max_depth=32).entities == ["x"]


def test_a_literal_nan_is_missing() -> None:
    (row,) = parse_payload(b'{"data": [[NaN, 1.5, 7]]}', max_depth=32).rows or []
    assert row[0] != row[0]
    assert row[1:] == [1.5, 7]


def test_colons_and_escapes_in_text_change_nothing() -> None:
    assert parse_payload(b'{"data": [["a:b", "\\u00e9"]]}', max_depth=32).rows == [["a:b", "é"]]
    assert parse_payload(b'{"records": [{"a": "x:y"}, 3]}', max_depth=32).records == [{"a": "x:y"}, 3]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"data": [[1e999]]}', "1e999 is out of range"),
        (b'{"data": [[' + b"9" * 5000 + b"]]}", "(5000 digits) is out of range"),
        (b'{"data": [[Infinity]]}', "Infinity is not a number JSON knows"),
        (b'{"data": [[-Infinity]]}', "-Infinity is not a number JSON knows"),
        (b'{"data": ' + b"[" * 100_000, "at most 32 levels"),
        (b'{"data": [["\\ud800"]]}', "half of a surrogate pair"),
        (b'{"\\ud800": [], "data": NaN}', "half of a surrogate pair"),
        (b'{"data": [[1]], "data": [[2]]}', "key data is given twice"),
        (b'{"records": [{"a": 1, "a": 2}]}', "key a is given twice"),
        (b'{"data": [[1]], "more": 1}', "unknown key more"),
        (b'{"data": [[1]], "records": []}', "exactly one of"),
        (b"{}", "got none"),
        (b"[[1]]", "must be an object"),
        (b"null", "got null"),
        (b"3", "got a number"),
        (b'{"data": {"a": 1}}', "data must be a list; got an object"),
        (b'{"data": []}', "data is empty"),
        (b'{"entities": [{"a": 1, "a": 2}]}', "key a is given twice"),
        (b'{"entities": []}', "entities is empty"),
        (b"", "the body is empty"),
        (b"  ", "the body is empty"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"data": [["\xff"]]}', "not UTF-8 at byte 12"),
        (b'{"data": [[1,]]}', "not JSON"),
        (b"{'data': 1}", "not JSON"),
        ('{"data": [[1]]}'.encode("utf-16"), "not UTF-8"),
    ],
)
def test_each_fault_is_named(body: bytes, text: str) -> None:
    assert text in refused(body).message


def test_brackets_in_text_are_not_depth() -> None:
    assert parse_json(b'["' + b"[" * 500 + b'\\"[", NaN]', max_depth=4)[0].startswith("[[[")


def test_nan_is_refused_where_it_has_no_meaning() -> None:
    with pytest.raises(InvalidRequestError, match="NaN is not a number JSON knows"):
        parse_json(b'{"a": NaN}', max_depth=8, allow_nan=False)


def test_messages_stay_short_when_the_body_is_long() -> None:
    assert len(refused(b'{"' + b"x" * 10_000 + b'": 1}').message) < 300
