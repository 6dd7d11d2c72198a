"""Rows in bulk, as Arrow streams and CSV; and one answer in every dialect, to the bit."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from django.test import Client

from predictions import engine
from predictions.adapters.scoring import score_frame
from predictions.core.frames import check_frame
from predictions.parsers import ARROW, CSV
from tests.predictions.conftest import Configure
from tests.predictions.dialects import NAMES, ROWS, column, send
from tests.predictions.test_v2 import outputs
from tests.predictions.tiny import staged

Token = Callable[..., str]
PREDICT = "/api/v1/predict"


def arrow(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        stream.write_table(table)
    return sink.getvalue()


def table(**more: Any) -> pa.Table:
    return pa.table({name: column(name) for name in NAMES} | more)


def opened(response: Any) -> pa.Table:
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == ARROW
    return pa.ipc.open_stream(response.content).read_all()


def ours(key: str, rows: Any = ROWS) -> Any:
    return send(key, PREDICT, json.dumps({"data": rows}).encode()).json()


def test_arrow_in_gives_arrow_out_with_who_answered(token: Token) -> None:
    staged()
    key = token()
    wanted = ours(key)
    answer = opened(send(key, PREDICT, arrow(table()), ARROW))
    assert answer.to_pydict() == {name: wanted[name] for name in ("predictions", "probabilities")}
    about = {name.decode(): value.decode() for name, value in answer.schema.metadata.items()}
    assert (about["model"], about["version"], about["role"]) == ("tiny", "1", "production")
    assert set(about) == {"model", "version", "role", "prediction_id", "timestamp"}


def test_the_form_of_the_answer_can_be_chosen(token: Token) -> None:
    staged()
    key = token()
    wanted = ours(key)
    as_json = send(key, PREDICT, arrow(table()), ARROW, Accept="application/json").json()
    assert as_json["probabilities"] == wanted["probabilities"]
    lines = send(key, PREDICT, gzip.compress(arrow(table())), ARROW, Accept=CSV, Content_Encoding="gzip")
    assert lines["Content-Type"].startswith(CSV)
    rows = list(csv.DictReader(io.StringIO(lines.content.decode())))
    assert [row["prediction"] for row in rows] == wanted["predictions"]
    assert [[float(r["probability_big"]), float(r["probability_small"])] for r in rows] == wanted["probabilities"]
    refused = send(key, PREDICT, arrow(table()), ARROW, Accept="text/html")
    assert (refused.status_code, refused["Content-Type"]) == (406, "application/json")


def test_a_question_about_the_route_is_answered_whatever_is_accepted(token: Token) -> None:
    headers = {"Authorization": f"Bearer {token()}", "Accept": ARROW}
    assert Client().options(PREDICT, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "made",
    [
        lambda: table().cast(
            pa.schema([("length", pa.float32()), ("width", pa.float64()), ("colour", pa.large_string())])
        ),
        lambda: table().set_column(2, "colour", pa.array(column("colour")).dictionary_encode()),
        lambda: table().select(["colour", "width", "length"]),
        lambda: table().cast(
            pa.schema([("length", pa.float64()), ("width", pa.float64()), ("colour", pa.string_view())])
        ),
    ],
)
def test_any_type_that_holds_the_values_is_taken(token: Token, made: Callable[[], pa.Table]) -> None:
    staged()
    key = token()
    rows = [[float(np.float32(row[0])), *row[1:]] for row in ROWS]
    answer = opened(send(key, PREDICT, arrow(made()), ARROW))
    assert answer["probabilities"].to_pylist() in (ours(key)["probabilities"], ours(key, rows)["probabilities"])


def bad_bodies() -> dict[str, tuple[bytes, int, str]]:
    good = arrow(table())
    null = pa.RecordBatch.from_arrays([pa.nulls(2**20)], ["length"])
    huge = table().set_column(0, "length", pa.array([["x"]] * 4))
    strings = pa.array(["red"] * 4)
    offsets = pa.py_buffer(np.array([0, 2**30, 6, 9, 12], "<i4").tobytes())
    broken = pa.StringArray.from_buffers(4, offsets, strings.buffers()[2])
    return {
        "text": (b'{"data": []}', 400, "is no Arrow stream"),
        "cut short": (good[: len(good) // 2], 400, "is no Arrow stream"),
        "damaged": (good[:40] + b"\xff" * 200 + good[240:], 400, "is no Arrow stream"),
        "compressed inside": (arrow(table(), compression="zstd"), 400, "compressed Arrow buffers are not taken"),
        "dictionary compressed": (
            arrow(table().set_column(2, "colour", strings.dictionary_encode()), compression="lz4"),
            400,
            "compressed Arrow buffers are not taken",
        ),
        "no rows": (arrow(table().slice(0, 0)), 400, "no row came"),
        "no columns": (arrow(pa.table({})), 400, "lack length, width, colour"),
        "many rows of nothing": (arrow(pa.Table.from_batches([null])), 413, "1048576 rows are too many"),
        "a list": (arrow(huge), 400, "column length: must be a number, boolean or text; got list"),
        "offsets elsewhere": (arrow(table().set_column(2, "colour", broken)), 400, "is no Arrow stream"),
        "unknown column": (arrow(table(more=[1] * 4)), 400, "have unknown more"),
        "column twice": (arrow(table().append_column("width", pa.array([1.0] * 4))), 400, "name width twice"),
        "infinite": (
            arrow(table().set_column(1, "width", pa.array([np.inf] * 4))),
            400,
            "column width: must be a number",
        ),
        "missing": (arrow(table().set_column(0, "length", pa.nulls(4))), 400, "column length: must not be missing"),
        "a text": (arrow(table().set_column(0, "length", strings)), 400, "column length: must be a number; got red"),
        "a number": (
            arrow(table().set_column(2, "colour", pa.array([1] * 4))),
            400,
            "column colour: must be a text; got 1",
        ),
    }


def test_what_is_no_table_of_the_model_is_refused(token: Token) -> None:
    staged()
    key = token()
    wrong = {}
    for name, (body, status, text) in bad_bodies().items():
        response = send(key, PREDICT, body, ARROW)
        answer = response.json()
        if response.status_code != status or text not in str(answer.get("fields", {}).get("detail", answer["error"])):
            wrong[name] = (response.status_code, answer)
    assert wrong == {}


def test_csv_in_gives_csv_out(token: Token) -> None:
    staged()
    key = token()
    wanted = ours(key)
    text = pd.DataFrame(ROWS, columns=list(NAMES)).to_csv(index=False).encode()
    answer = send(key, PREDICT, text, f"{CSV}; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [[float(r["probability_big"]), float(r["probability_small"])] for r in rows] == wanted["probabilities"]
    refused = send(key, PREDICT, b"length,width,colour,more\n1,2,red,4\n", CSV)
    assert "have unknown more" in refused.json()["fields"]["detail"]
    assert (
        send(key, PREDICT, b"length,width,colour\n", CSV).json()["fields"]["detail"] == "no row came; give at least one"
    )


def test_one_column_of_lists_holds_all_columns_in_order(token: Token) -> None:
    staged()
    key = token()
    lists = pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float64(), 2))
    detail = send(key, PREDICT, arrow(pa.table({"rows": lists})), ARROW).json()["fields"]["detail"]
    assert detail == "2 columns came; the model takes 3: length, width, colour"


@pytest.mark.parametrize(
    ("kind", "regression"), [("onnx", False), ("onnx", True), ("sklearn", False), ("sklearn", True)]
)
def test_the_same_rows_give_the_same_answer_everywhere(
    token: Token, configure: Configure, kind: str, regression: bool
) -> None:
    configure(rate_limit="off")
    staged(engine=kind, regression=regression)
    key = token()
    rng = np.random.default_rng(7)
    width = rng.normal(size=500).tolist()
    rows = [list(row) for row in zip(rng.uniform(0, 100, 500).tolist(), width, ["red", "blue"] * 250, strict=True)]
    cells = dict(zip(NAMES, map(list, zip(*rows, strict=True)), strict=True))
    name = "predictions" if regression else "probabilities"
    wanted = np.array(ours(key, rows)[name])
    frame = pd.DataFrame(cells)
    tensors = [
        {"name": c, "shape": [500], "datatype": "BYTES" if c == "colour" else "FP64", "data": v}
        for c, v in cells.items()
    ]
    inferred = [
        outputs(send(key, "/v2/models/tiny/infer", json.dumps({"inputs": tensors, "parameters": wish}).encode()))[name]
        for wish in ({}, {"binary_data_output": True})
    ]
    loaded = engine.version("tiny", 1)
    scored = score_frame(loaded, check_frame(loaded.plan, frame).frame)
    answers = {
        "records": send(key, PREDICT, json.dumps({"records": frame.to_dict("records")}).encode()).json()[name],
        "one by one": [ours(key, [row])[name][0] for row in rows[:40]],
        "arrow": opened(send(key, PREDICT, arrow(pa.table(cells)), ARROW))[name].to_pylist(),
        "v2": np.reshape(inferred[0], wanted.shape),
        "v2 raw": np.reshape(inferred[1], wanted.shape),
        "batch": scored.predictions if regression else scored.probabilities,
    }
    if regression:
        split = {"columns": list(cells), "data": rows}
        answers["mlflow"] = send(key, "/invocations", json.dumps({"dataframe_split": split}).encode()).json()[name]
        answers["mlflow csv"] = send(key, "/invocations", frame.to_csv().encode(), CSV).json()[name]
    # A graph promises the bits; scikit-learn's own linear algebra sums in another order for another number of rows.
    far = {
        way: float(np.abs(np.array(answer) - wanted[: len(answer)]).max())
        for way, answer in answers.items()
        if not np.allclose(answer, wanted[: len(answer)], rtol=0, atol=0 if kind == "onnx" else 1e-12)
    }
    assert far == {}
