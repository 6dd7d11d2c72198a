"""MLflow's routes: every form of its JSON, CSV and Parquet, and what is refused."""

import io
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from django.test import Client

from predictions import engine
from tests.predictions.conftest import Configure
from tests.predictions.dialects import NAMES, ROWS, fetch, send
from tests.predictions.tiny import register, staged

Token = Callable[..., str]
FRAME = pd.DataFrame(ROWS, columns=list(NAMES))
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
INVOKE = "/invocations"


def forms() -> dict[str, Any]:
    shuffled = ["colour", "extra", "width", "length"]
    cells = [[row["colour"], 7, row["width"], row["length"]] for row in RECORDS]
    return {
        "split": {"dataframe_split": {"columns": shuffled, "index": [0, 1, 2, 3], "data": cells}},
        "records": {"dataframe_records": RECORDS, "params": {"unknown": 1}, "surprise": 1},
        "instances": {"instances": RECORDS},
        "rows": {"instances": ROWS},
        "inputs": {"inputs": {name: [row[name] for row in RECORDS] for name in NAMES}},
        "tensor": {"inputs": ROWS},
    }


def post(token: str, body: Any, content_type: str = "application/json", path: str = INVOKE, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return send(token, path, content, content_type, **headers)


@pytest.mark.parametrize("path", [INVOKE, "/mlflow/size/invocations"])
def test_every_form_gives_the_bits_of_our_own_dialect(token: Token, path: str) -> None:
    staged(name="size", regression=True)
    key = token()
    wanted = send(key, "/api/v1/predict", json.dumps({"data": ROWS}).encode()).json()["predictions"]
    parquet = io.BytesIO()
    FRAME.assign(extra=[[1]] * 4).drop(columns="extra").to_parquet(parquet)
    answers = {name: post(key, body, path=path) for name, body in forms().items()}
    answers["csv"] = post(key, FRAME.to_csv().encode(), "text/csv; charset=utf-8", path=path)
    answers["parquet"] = post(key, parquet.getvalue(), "application/vnd.apache.parquet", path=path)
    assert {name: answer.json() for name, answer in answers.items()} == {
        name: {"predictions": wanted} for name in answers
    }


def test_an_answer_can_be_found_by_the_id_in_its_header(token: Token) -> None:
    staged()
    key = token()
    answer = post(key, {"inputs": ROWS})
    engine.stop()
    found = fetch(key, f"/api/v1/predictions/{answer['X-Prediction-ID']}").json()
    assert found["outputs"]["predictions"] == answer.json()["predictions"]


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": list(NAMES), "data": []}},
        {"dataframe_records": []},
        {"inputs": {name: [] for name in NAMES}},
    ],
)
def test_no_rows_give_no_predictions(token: Token, body: Any) -> None:
    staged()
    assert post(token(), body).json() == {"predictions": []}
    assert post(token(), b"length,width,colour\n", "text/csv").json() == {"predictions": []}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[1]", "the body must be an object with exactly one of dataframe_split"),
        (b"{}", "give exactly one of dataframe_split, dataframe_records, instances, inputs; got none"),
        (b'{"inputs": [], "instances": []}', "got instances, inputs"),
        (b'{"inputs": 1}', "inputs must be a list; got 1"),
        (b'{"inputs": [], "params": 3}', "params must be an object; got 3"),
        (b'{"dataframe_split": []}', "must be an object with columns and data"),
        (b'{"dataframe_split": {"data": []}}', "columns must be a list"),
        (b'{"dataframe_split": {"columns": [1], "data": []}}', "columns must be texts"),
        (b'{"dataframe_split": {"columns": ["length"], "data": [[1]]}}', "the inputs lack width, colour"),
        (b'{"dataframe_split": {"columns": ["length", "width", "colour", "width"], "data": []}}', "name width twice"),
        (
            b'{"dataframe_split": {"columns": ["colour", "width", "length"], "data": [[1]]}}',
            "row 0 must be a list of 3",
        ),
        (b'{"dataframe_records": [{"length": 1}, 2]}', "row 1 must be an object; got 2"),
        (b'{"instances": [[1, 2, "red"], {}]}', "row 1 must be a list of 3 values"),
        (b'{"inputs": {"length": [1], "width": [1, 2], "colour": ["red"]}}', "the columns must be of one length"),
        (b'{"inputs": {"length": 1}}', "inputs: length must be a list; got 1"),
        (b'{"inputs": [["x", 1, "red"]]}', "row 0, column length: must be a number; got x"),
        (b"no json", "the body is not JSON"),
    ],
)
def test_what_is_no_data_frame_is_400_in_the_dialects_words(token: Token, body: bytes, message: str) -> None:
    staged()
    response = post(token(), body)
    answer = response.json()
    assert (response.status_code, set(answer)) == (400, {"error_code", "message"})
    assert answer["error_code"] == "BAD_REQUEST"
    assert message in answer["message"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"length,width,colour\n1,2\n", "row 0 has 2 cells; the header names 3"),
        (b'length,width,colour\n"1,2,red', "the body is not CSV"),
        (b"length,width,colour\n1,x,red\n", "row 0, column width: must be a number; got x"),
        (b"length,width,colour\n1e999,1,red\n", "row 0, column length: must be a number from 0 to 100; got inf"),
        (b"length,width,colour\n1_0,1,red\n", "got 1_0"),
        (b"length,width,colour\n1,1,\n", "row 0, column colour: must not be missing"),
        (b"length,width\n1,1\n", "the inputs lack colour"),
        (b"\xff", "the body is not UTF-8 at byte 0"),
        (b"\n", "the body is empty"),
    ],
)
def test_bad_csv_is_400(token: Token, body: bytes, message: str) -> None:
    staged()
    response = post(token(), body, "text/csv")
    assert response.status_code == 400
    assert message in response.json()["message"]


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json; x=1", "text/csv; charset=latin-1"])
def test_another_content_type_is_415(token: Token, content_type: str) -> None:
    staged()
    response = post(token(), {"inputs": ROWS}, content_type)
    assert response.status_code == 415
    assert "Content-Type must be application/json, text/csv" in response.json()["message"]


def test_ping_health_and_version_answer_as_mlflows(token: Token) -> None:
    assert fetch("", "/ping").status_code == 404
    staged()
    register("other", seed=1)
    engine.refresh()
    for path in ("/ping", "/health"):
        response = fetch("", path)
        assert (response.status_code, response.content, response["Content-Type"]) == (200, b"\n", "application/json")
        assert send("", path, b"").status_code == 405
    assert fetch("", "/version").content.decode()[0].isdigit()
    assert fetch(token(), "/mlflow/tiny/ping").status_code == 200
    assert fetch(token(), "/mlflow/tiny/version").content == fetch("", "/version").content
    missing = [fetch(token(), "/mlflow/other/health"), fetch(token(), "/mlflow/nope/ping")]
    assert [(r.status_code, r.json()["error_code"]) for r in missing] == [(404, "RESOURCE_DOES_NOT_EXIST")] * 2
    assert fetch("", "/mlflow/tiny/ping").status_code == 401


def test_a_token_is_taken_over_basic_as_password_or_as_name(token: Token) -> None:
    staged()
    key = token()

    def ask(pair: str) -> Any:
        value = b64encode(pair.encode()).decode()
        body = json.dumps({"inputs": ROWS}).encode()
        return Client().post(INVOKE, body, content_type="application/json", headers={"Authorization": f"Basic {value}"})

    assert [ask(f"svc:{key}").status_code, ask(f"{key}:").status_code] == [200, 200]
    for wrong in (f"{key}:x", "svc:junk", ":"):
        response = ask(wrong)
        assert (response.status_code, response.json()["error_code"]) == (401, "UNAUTHENTICATED")


def test_the_other_refusals_have_the_dialects_shape(token: Token, configure: Configure) -> None:
    staged()
    body = {"inputs": ROWS}
    configure(rate_limit="1/hour")
    key = token()
    many = {"inputs": ROWS * 300}
    answers = [
        post("", body),
        post(token("readonly", "rob"), body),
        post(token("user", "bob"), many),
        post(key, body),
        post(key, body),
        post(token("user", "eve"), body, path="/mlflow/nope/invocations"),
        post(key, b" " * 1_100_000),
    ]
    assert [answer.status_code for answer in answers] == [401, 403, 413, 200, 429, 404, 413]
    codes = [answer.json().get("error_code") for answer in answers]
    wanted = ["UNAUTHENTICATED", "PERMISSION_DENIED", "BAD_REQUEST", None, "REQUEST_LIMIT_EXCEEDED"]
    assert codes == [*wanted, "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST"]
