"""The Open Inference Protocol: metadata, tensors in JSON and raw, and how each wrong request is refused."""

import gzip
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from predictions import engine
from predictions.models import Prediction
from tests.predictions.dialects import ROWS, column, fetch, send
from tests.predictions.tiny import register, staged

Token = Callable[..., str]
INFER = "/v2/models/tiny/infer"
BINARY = "application/octet-stream"


def tensor(name: str, datatype: str, data: list[Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data), 1], "data": data, **more}


def asked(**more: Any) -> dict[str, Any]:
    inputs = [
        tensor("colour", "BYTES", column("colour")),
        tensor("length", "FP64", column("length")),
        tensor("width", "FP64", column("width")),
    ]
    return {"inputs": inputs, **more}


def texts(values: list[str]) -> bytes:
    return b"".join(struct.pack("<I", len(value.encode())) + value.encode() for value in values)


def raw(datatype: str = "FP64", **more: Any) -> tuple[bytes, int]:
    """Return a body of raw tensors and the length of its header."""
    length = np.array(column("length"), "<f8" if datatype == "FP64" else "<f4").tobytes()
    width = np.array([np.nan if cell is None else cell for cell in column("width")], "<f8").tobytes()
    parts = [("length", datatype, length), ("width", "FP64", width), ("colour", "BYTES", texts(column("colour")))]
    inputs = [
        {"name": name, "datatype": kind, "shape": [len(ROWS)], "parameters": {"binary_data_size": len(part)}}
        for name, kind, part in parts
    ]
    header = json.dumps({"inputs": inputs, **more}).encode()
    return header + b"".join(part for _, _, part in parts), len(header)


def outputs(response: Any) -> dict[str, Any]:
    """Return the outputs of an answer by name, whatever form each has."""
    assert response.status_code == 200, response.content
    content = response.content
    coding = response.get("Content-Encoding")
    content = gzip.decompress(content) if coding == "gzip" else zlib.decompress(content) if coding else content
    length = int(response.get("Inference-Header-Content-Length", len(content)))
    found, place = {}, length
    for output in json.loads(content[:length])["outputs"]:
        if "data" in output:
            found[output["name"]] = output["data"]
            continue
        part = content[place : place + output["parameters"]["binary_data_size"]]
        place += len(part)
        found[output["name"]] = list(np.frombuffer(part, "<f8")) if output["datatype"] == "FP64" else _texts(part)
    assert place == len(content)
    return found


def _texts(part: bytes) -> list[str]:
    found = []
    while part:
        size = struct.unpack("<I", part[:4])[0]
        found.append(part[4 : 4 + size].decode())
        part = part[4 + size :]
    return found


def ours(token: str) -> dict[str, Any]:
    answer = send(token, "/api/v1/predict", json.dumps({"data": ROWS}).encode()).json()
    shares = [share for row in answer["probabilities"] for share in row]
    return {"predictions": answer["predictions"], "probabilities": shares}


def test_tensors_in_json_and_raw_give_the_bits_of_our_own_dialect(token: Token) -> None:
    staged()
    key = token()
    wanted = ours(key)
    body, length = raw()
    half, at = raw(parameters={"binary_data_output": True})
    mixed, where = raw(
        outputs=[{"name": "probabilities", "parameters": {"binary_data": True}}, {"name": "predictions"}]
    )
    answers = [
        send(key, INFER, json.dumps(asked()).encode()),
        send(key, INFER, json.dumps(asked(parameters={"binary_data_output": True})).encode(), ""),
        send(key, INFER, body, BINARY, Inference_Header_Content_Length=str(length)),
        send(key, INFER, half, "", Inference_Header_Content_Length=str(at)),
        send(key, INFER, mixed, "text/plain", Inference_Header_Content_Length=str(where)),
        send(key, "/v2/models/tiny/versions/1/infer", json.dumps(asked()).encode()),
    ]
    assert [outputs(answer) for answer in answers] == [wanted] * len(answers)


def test_an_answer_names_who_gave_it_and_can_be_found_in_the_log(token: Token) -> None:
    staged()
    key = token()
    body = send(key, INFER, json.dumps(asked(id="mine", surprise=1)).encode()).json()
    assert (body["model_name"], body["model_version"], body["id"]) == ("tiny", "1", "mine")
    assert body["parameters"]["role"] == "production"
    engine.stop()
    found = fetch(key, f"/api/v1/predictions/{body['parameters']['prediction_id']}").json()
    assert found["inputs"] == ROWS
    assert Prediction.objects.get().principal == "user:alice"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_bodies_are_compressed_both_ways(token: Token, coding: str) -> None:
    staged()
    key = token()
    many = {"inputs": [{**t, "data": t["data"] * 50, "shape": [200]} for t in asked()["inputs"]]}
    body = json.dumps(many).encode()
    packed = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    plain = send(key, INFER, body)
    answer = send(key, INFER, packed, Content_Encoding=coding, Accept_Encoding=coding)
    assert answer["Content-Encoding"] == coding
    assert len(answer.content) < len(plain.content) // 2
    assert outputs(answer) == outputs(plain)
    assert "Content-Encoding" not in send(key, INFER, body, Accept_Encoding=f"{coding};q=0, br")


def test_one_tensor_may_hold_all_columns_in_the_models_order(token: Token) -> None:
    staged()
    key = token()
    rows = [[row[0], row[1] if row[1] is not None else 0, row[2]] for row in ROWS]
    # A model with a column of text takes a matrix of text only where all columns are text.
    matrix = {"name": "rows", "datatype": "BYTES", "shape": [4, 3], "data": [[str(c) for c in row] for row in rows]}
    refused = send(key, INFER, json.dumps({"inputs": [matrix]}).encode())
    assert refused.json() == {"error": "row 0, column length: must be a number; got 4.0"}


def test_the_most_probable_classes_can_be_asked_for(token: Token) -> None:
    staged()
    key = token()
    wish = [{"name": "probabilities", "parameters": {"classification": 1}}]
    found = outputs(send(key, INFER, json.dumps(asked(outputs=wish)).encode()))["probabilities"]
    wanted = ours(key)
    best = [max(wanted["probabilities"][2 * row : 2 * row + 2]) for row in range(len(ROWS))]
    assert [float(text.split(":")[0]) for text in found] == best
    assert [text.split(":")[2] for text in found] == wanted["predictions"]


def test_an_output_is_given_once(token: Token) -> None:
    staged()
    twice = json.dumps(asked(outputs=[{"name": "predictions"}] * 2)).encode()
    assert send(token(), INFER, twice).json() == {"error": "output predictions is asked for twice"}


def test_a_regression_answers_numbers_alone(token: Token) -> None:
    staged(name="size", regression=True)
    key = token()
    body = json.dumps(asked()).encode()
    answer = send(key, "/v2/models/size/infer", body)
    own = send(key, "/api/v1/models/size/predict", json.dumps({"data": ROWS}).encode()).json()
    assert outputs(answer) == {"predictions": own["predictions"]}
    assert answer.json()["outputs"][0]["datatype"] == "FP64"
    wish = json.dumps(asked(outputs=[{"name": "probabilities"}])).encode()
    assert send(key, "/v2/models/size/infer", wish).json() == {"error": "size is a regression: it has no probabilities"}


def test_metadata_readiness_index_and_statistics(token: Token) -> None:
    staged()
    register("other", seed=1)
    key = token()
    assert fetch("", "/v2").json() == fetch("", "/v2/").json()
    assert set(fetch("", "/v2").json()) == {"name", "version", "extensions"}
    assert fetch("", "/v2/health/live").json() == {"live": True}
    assert fetch("", "/v2/health/ready").json() == {"ready": True, "live": True}
    assert fetch(key, "/v2/models/tiny").json() == {
        "name": "tiny",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": "length", "datatype": "FP64", "shape": [-1, 1]},
            {"name": "width", "datatype": "FP64", "shape": [-1, 1]},
            {"name": "colour", "datatype": "BYTES", "shape": [-1, 1]},
        ],
        "outputs": [
            {"name": "predictions", "datatype": "BYTES", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]},
        ],
    }
    assert fetch(key, "/v2/models/tiny/ready").json() == {"name": "tiny", "ready": True}
    assert fetch(key, "/v2/models/other/versions/1/ready").status_code == 200
    assert fetch(key, "/v2/models/other/ready").status_code == 503
    index = send(key, "/v2/repository/index", b"", "").json()
    assert {model["name"]: model["state"] for model in index} == {"tiny": "READY", "other": "UNAVAILABLE"}

    def rows() -> int:
        stats = fetch(key, "/v2/models/tiny/stats").json()["model_stats"]
        return sum(model["inference_count"] for model in stats if model["version"] == "1")

    before = rows()
    send(key, INFER, json.dumps(asked()).encode())
    assert rows() - before == len(ROWS)
    assert fetch(key, "/v2/models/stats").status_code == 200


def test_a_configuration_is_the_metadata_in_tritons_words(token: Token) -> None:
    staged()
    key = token()
    found = fetch(key, "/v2/models/tiny/config").json()
    assert found == fetch(key, "/v2/models/tiny/versions/1/config").json()
    assert found == {
        "name": "tiny",
        "platform": "onnxruntime_onnx",
        "max_batch_size": 0,
        "input": [
            {"name": "length", "data_type": "TYPE_FP64", "dims": [-1, 1]},
            {"name": "width", "data_type": "TYPE_FP64", "dims": [-1, 1]},
            {"name": "colour", "data_type": "TYPE_STRING", "dims": [-1, 1]},
        ],
        "output": [
            {"name": "predictions", "data_type": "TYPE_STRING", "dims": [-1]},
            {"name": "probabilities", "data_type": "TYPE_FP64", "dims": [-1, 2]},
        ],
    }
    assert "model_configuration" in fetch("", "/v2").json()["extensions"]


@pytest.mark.parametrize("way", ["load", "unload"])
def test_a_client_loads_and_unloads_nothing(token: Token, way: str) -> None:
    staged()
    key = token(role="admin")
    refused = send(key, f"/v2/repository/models/tiny/{way}", b'{"parameters": {"unload_dependents": false}}')
    assert refused.status_code == 422
    assert refused.json()["error"].startswith("promotion decides which version of tiny is loaded, a client never")
    assert send(key, f"/v2/repository/models/nope/{way}", b"{}").status_code == 404
    assert send("", f"/v2/repository/models/tiny/{way}", b"{}").status_code == 401
    assert fetch(key, "/v2/models/tiny/ready").status_code == 200


def test_no_model_is_503_in_the_dialects_words(token: Token) -> None:
    response = fetch("", "/v2/health/ready")
    assert (response.status_code, list(response.json())) == (503, ["error"])
    assert response["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/models/nope/infer", 404),
        ("/v2/models/tiny/versions/9/infer", 404),
        ("/v2/models/a b/infer", 404),
        ("/v2/nothing", 404),
    ],
)
def test_what_is_not_there_is_404_in_the_dialects_words(token: Token, path: str, status: int) -> None:
    staged()
    response = send(token(), path, json.dumps(asked()).encode())
    assert (response.status_code, list(response.json())) == (status, ["error"])


def test_who_may_not_is_refused_in_the_dialects_words(token: Token, configure: Any) -> None:
    staged()
    body = json.dumps(asked()).encode()
    configure(rate_limit="2/hour")
    key = token()
    codes = [send("", INFER, body), send("junk", INFER, body), send(token("readonly", "rob"), INFER, body)]
    codes += [send(key, INFER, body), fetch(key, INFER), send(key, INFER, body), send(key, INFER, b" " * 1_100_000)]
    assert [response.status_code for response in codes] == [401, 401, 403, 200, 405, 429, 413]
    assert all(list(response.json()) == ["error"] for response in codes if response.status_code != 200)
    assert "Retry-After" in codes[5]
