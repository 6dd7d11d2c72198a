"""Whatever bytes come, a parser gives a table or one of our own errors, and nothing else."""

import gzip
import io
import json
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictions.core.arrow_tables import parse_arrow, parse_parquet
from predictions.core.coding import packed, unpacked
from predictions.core.csv_rows import parse_csv
from predictions.core.input_limits import InputLimits
from predictions.core.inputs import InputPlan
from predictions.core.mlflow import parse_invocation
from predictions.core.parse import parse_json, parse_payload, read_json
from predictions.core.tables import Table, frame_of
from predictions.core.tensors import NUMPY, from_binary, to_binary
from predictions.core.v2 import parse_infer
from predictions.errors import InvalidRequestError, PredictionsError
from predictions.tokens import bearer
from tests.predictions.dialects import NAMES, ROWS
from tests.predictions.hostile import bomb
from tests.predictions.test_bulk import arrow
from tests.predictions.test_v2 import asked, raw
from tests.predictions.tiny import SCHEMA

PLAN = InputPlan(SCHEMA, InputLimits())
FRAME = pd.DataFrame(ROWS, columns=list(NAMES))
MANY = settings(max_examples=100, deadline=None)
LIMIT = 1 << 20


def invocation(body: bytes) -> Table:
    return parse_invocation(body, max_depth=32)


def invocations() -> dict[str, Any]:
    records = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
    return {
        "mlflow": {"inputs": ROWS},
        "mlflow columns": {"inputs": {name: [row[name] for row in records] for name in NAMES}},
        "mlflow split": {"dataframe_split": {"columns": list(NAMES), "index": list(range(len(ROWS))), "data": ROWS}},
        "mlflow records": {"dataframe_records": records},
        "mlflow instances": {"instances": records, "params": {"unknown": 1}},
    }


def good_bodies() -> dict[str, tuple[bytes, Callable[[bytes], Table]]]:
    parquet = io.BytesIO()
    FRAME.to_parquet(parquet)
    body, length = raw()
    return {
        "v2": (json.dumps(asked()).encode(), lambda body: parse_infer(body, None, max_depth=32).table),
        "v2 raw": (body, lambda body: parse_infer(body, length, max_depth=32).table),
        **{name: (json.dumps(form).encode(), invocation) for name, form in invocations().items()},
        "csv": (FRAME.to_csv(index=False).encode(), lambda body: parse_csv(body, lenient=False)),
        "arrow": (arrow(pa.Table.from_pandas(FRAME)), lambda body: parse_arrow(body, max_rows=100)),
        "parquet": (parquet.getvalue(), lambda body: parse_parquet(body, max_rows=100, max_bytes=LIMIT)),
    }


GOOD = good_bodies()


def use(parse: Callable[[bytes], Table], body: bytes) -> None:
    """Parse a body and lay it out for a model, as a request does."""
    try:
        frame = frame_of(PLAN, parse(body))
    except PredictionsError:
        return
    assert list(frame) == list(NAMES)
    assert np.isfinite(frame["length"]).all()


@pytest.mark.parametrize("name", GOOD)
def test_every_good_body_is_the_same_table(name: str) -> None:
    body, parse = GOOD[name]
    frame = frame_of(PLAN, parse(body))
    wanted = PLAN.from_rows(ROWS)
    assert all(np.array_equal(frame[column], wanted[column], equal_nan=column != "colour") for column in NAMES)


@pytest.mark.parametrize("name", GOOD)
@MANY
@given(data=st.data())
def test_a_damaged_body_is_a_table_or_an_error(name: str, data: st.DataObject) -> None:
    body, parse = GOOD[name]
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)) | st.just(len(body)))
    use(parse, bytes(damaged[:cut]))


@pytest.mark.parametrize("name", GOOD)
@MANY
@given(body=st.binary(max_size=400))
def test_any_bytes_are_a_table_or_an_error(name: str, body: bytes) -> None:
    use(GOOD[name][1], body)


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**63), 2**63) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
keys = st.sampled_from(
    [
        "inputs",
        "outputs",
        "id",
        "parameters",
        "name",
        "shape",
        "datatype",
        "data",
        "instances",
        "dataframe_split",
        "dataframe_records",
        "columns",
    ]
)


@MANY
@given(st.dictionaries(keys, values | st.lists(st.dictionaries(keys, values))))
def test_any_json_is_a_table_or_an_error(value: Any) -> None:
    body = json.dumps(value).encode()
    use(GOOD["v2"][1], body)
    use(GOOD["mlflow"][1], body)


@MANY
@given(values)
def test_the_fast_reader_says_what_the_strict_one_says(value: Any) -> None:
    body = json.dumps({"value": value}).encode()

    def read(reader: Callable[..., Any]) -> Any:
        try:
            return repr(reader(body, max_depth=32))
        except InvalidRequestError as error:
            return error.message

    assert read(read_json) == read(parse_json)


@MANY
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_payload_or_an_error(body: bytes) -> None:
    try:
        payload = parse_payload(body, max_depth=32)
    except InvalidRequestError:
        return
    assert [payload.rows, payload.records, payload.entities].count(None) == 2


@pytest.mark.parametrize("form", ["data", "records"])
@MANY
@given(data=st.data())
def test_a_damaged_question_of_ours_is_rows_or_an_error(form: str, data: st.DataObject) -> None:
    rows = ROWS if form == "data" else [dict(zip(NAMES, row, strict=True)) for row in ROWS]
    damaged = bytearray(json.dumps({form: rows}).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        payload = parse_payload(bytes(damaged), max_depth=32)
        frame = PLAN.from_records(payload.records) if payload.rows is None else PLAN.from_rows(payload.rows)
    except PredictionsError:
        return
    assert list(frame) == list(NAMES)
    assert len(frame["length"]) == len(ROWS)


@MANY
@given(st.binary(max_size=5000), st.sampled_from(["gzip", "deflate", "gzip;q=0, deflate", "br", ""]))
def test_what_is_packed_is_unpacked_again(body: bytes, accepted: str) -> None:
    content, coding = packed(body, accepted)
    assert unpacked(content, coding, limit=5000) == body


@MANY
@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate"]))
def test_what_was_never_packed_is_an_error(body: bytes, coding: str) -> None:
    with pytest.raises(PredictionsError):
        unpacked(body, coding, limit=1000)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    body = bomb()
    tracemalloc.start()
    try:
        with pytest.raises(PredictionsError, match="it unpacks to more than 1000 bytes"):
            unpacked(body, "gzip", limit=1000)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert unpacked(gzip.compress(b"a" * 1000), "gzip", limit=1000) == b"a" * 1000
    for body in (gzip.compress(b"a")[:-1], gzip.compress(b"a") + b"b", zlib.compress(b"a")):
        with pytest.raises(InvalidRequestError):
            unpacked(body, "gzip", limit=1000)


@MANY
@given(
    st.sampled_from(sorted({*NUMPY, "BF16", "BYTES"})),
    st.lists(st.integers(0, 2**70), max_size=4),
    st.binary(max_size=64),
)
def test_any_tensor_is_cells_or_an_error(datatype: str, shape: list[int], body: bytes) -> None:
    try:
        cells = from_binary("x", datatype, shape, body)
    except InvalidRequestError:
        return
    assert len(cells) == int(np.prod([float(size) for size in shape]))


@MANY
@given(st.lists(st.text(max_size=20)), st.lists(st.floats(allow_nan=False)), st.lists(st.booleans()))
def test_tensors_come_back_as_they_went(texts: list[str], numbers: list[float], flags: list[bool]) -> None:
    for datatype, cells in (("BYTES", texts), ("FP64", numbers), ("BOOL", flags)):
        assert list(from_binary("x", datatype, [len(cells)], to_binary(datatype, cells))) == cells


@MANY
@given(st.text(max_size=200))
def test_any_authorization_is_a_token_or_none(header: str) -> None:
    for text in (header, f"Basic {header}", f"Bearer {header}"):
        found = bearer(text)
        assert found is None or found
