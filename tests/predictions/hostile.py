"""What clients should not send: bodies for each dialect, and tokens nobody gave out."""

import json
import struct
import time
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import uuid4

import jwt
import numpy as np

JSON, BINARY = "application/json", "application/octet-stream"
OWN, V2, MLFLOW = "/api/v1/predict", "/v2/models/tiny/infer", "/invocations"
LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One POST."""

    name: str
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": JSON})


# In the place of a number that may not be missing.
CELLS: dict[str, bytes] = {
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "-Infinity": b"-Infinity",
    "1e999": b"1e999",
    "-1e999": b"-1e999",
    "1e308": b"1e308",
    "5000 digits": b"9" * 5000,
    "309 digits": b"9" * 309,
    "-5000 digits": b"-" + b"9" * 5000,
    "null": b"null",
    "text": b'"4"',
    "half a pair": b'"\\ud800"',
    "NUL": b'"a\\u0000b"',
    "raw NUL": b'"a\x00b"',
    "list": b"[4]",
    "object": b'{"a": 4}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep and open": b"[" * 100_000,
    "over the bound": b"101",
    "under the bound": b"-0.001",
    "leading zero": b"04",
    "plus": b"+4",
    "hexadecimal": b"0x4",
    "bare point": b"4.",
    "long text": b'"' + b"a" * 100_000 + b'"',
}
WHOLE: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "text": b"no json",
    "null": b"null",
    "number": b"1",
    "list": b"[]",
    "string": b'"data"',
    "empty object": b"{}",
    "unknown key": b'{"rows": [[1, 2, "red"]]}',
    "mark of byte order": b'\xef\xbb\xbf{"data": [[1, 2, "red"]]}',
    "UTF-16": '{"data": []}'.encode("utf-16"),
    "not UTF-8": b'{"data": [["\xff\xfe", 1, "red"]]}',
    "not closed": b'{"data": [[1, 2, "red"]]',
    "more behind": b'{"data": [[1, 2, "red"]]}{}',
    "single quotes": b"{'data': []}",
    "comment": b'{"data": [] /* none */}',
    "trailing comma": b'{"data": [],}',
    "NUL": b"\x00" * 100,
    "open text": b'{"data',
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "gzip unsaid": zlib.compress(b'{"data": []}'),
    "two megabytes": b'{"data": [[' + b"1," * 1_000_000 + b"1]]}",
}

TWICE: dict[str, tuple[bytes, ...]] = {
    OWN: (b'{"data": [[1, 2, "red"]], "data": [[1, 2, "red"]]}',
          b'{"records": [{"length": 1, "length": 1, "width": 2, "colour": "red"}]}'),
    V2: (b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [0, 3], "data": []}], "inputs": []}',
         b'{"inputs": [{"name": "x", "name": "x", "datatype": "FP64", "shape": [1, 3], "data": [1, 2, 3]}]}'),
    MLFLOW: (b'{"inputs": [[1, 2, "red"]], "inputs": [[1, 2, "red"]]}',
             b'{"dataframe_records": [{"length": 1, "length": 1, "width": 2, "colour": "red"}]}'),
}  # fmt: skip


def cell_bodies() -> Iterator[Question]:
    """Yield each cell in each dialect."""
    for name, cell in CELLS.items():
        yield Question(name=f"own, {name}", path=OWN, body=b'{"data": [[%b, 1, "red"]]}' % cell)
        yield Question(
            name=f"records, {name}", path=OWN, body=b'{"records": [{"length": %b, "width": 1, "colour": "red"}]}' % cell
        )
        inputs = b'{"name":"%b","datatype":"%b","shape":[1],"data":[%b]}'
        parts = [inputs % (b"length", b"FP64", cell), inputs % (b"width", b"FP64", b"1")]
        parts.append(inputs % (b"colour", b"BYTES", b'"red"'))
        yield Question(name=f"v2, {name}", path=V2, body=b'{"inputs":[%b]}' % b",".join(parts))
        yield Question(name=f"mlflow, {name}", path=MLFLOW, body=b'{"inputs": [[%b, 1, "red"]]}' % cell)
        frame = b'{"dataframe_split": {"columns": ["length", "width", "colour"], "data": [[%b, 1, "red"]]}}' % cell
        yield Question(name=f"split, {name}", path=MLFLOW, body=frame)


def whole_bodies() -> Iterator[Question]:
    """Yield what is no request at all, and what is said wrongly about one, in each dialect."""
    for path in (OWN, V2, MLFLOW):
        for name, body in WHOLE.items():
            yield Question(name=f"{path}, {name}", path=path, body=body)
        for number, body in enumerate(TWICE[path]):
            yield Question(name=f"{path}, key twice {number}", path=path, body=body)
        for coding, body in {
            "gzip": zlib.compress(b"{}"),
            "deflate": b"no deflate",
            "br": b"{}",
            "gzip, gzip": b"{}",
            "bomb": bomb(),
            "cut": bomb()[:1000],
        }.items():
            sent = {"Content-Type": JSON, "Content-Encoding": coding if coding not in ("bomb", "cut") else "gzip"}
            yield Question(name=f"{path}, coding {coding}", path=path, body=body, headers=sent)
    for kind in (
        "",
        "text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=bz2",
        "multipart/form-data",
    ):
        for path in (OWN, MLFLOW):
            yield Question(name=f"{path}, type {kind}", path=path, body=b"{}", headers={"Content-Type": kind})
    for body in (
        b"",
        b"\x00" * 400,
        b"PAR1" + b"\xff" * 400 + b"PAR1",
        b"\xff\xff\xff\xff\x10\x00\x00\x00" + b"\x07" * 400,
    ):
        kinds = {
            OWN: ("application/vnd.apache.arrow.stream", "text/csv"),
            MLFLOW: ("application/vnd.apache.parquet", "text/csv"),
        }
        for path, sent in ((path, sent) for path, types in kinds.items() for sent in types):
            yield Question(name=f"{path}, {sent}, {body[:6]!r}", path=path, body=body, headers={"Content-Type": sent})


@cache
def bomb() -> bytes:
    """Return a gzip of half a gigabyte of spaces, in half a megabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * (1 << 20)
    return b"".join([packer.compress(block) for _ in range(512)] + [packer.flush()])


def tensor_bodies() -> Iterator[Question]:
    """Yield tensors that are not what they say."""

    def json_tensor(**changed: Any) -> bytes:
        tensor = {"name": "length", "datatype": "FP64", "shape": [1], "data": [4.0], **changed}
        others = [
            {"name": "width", "datatype": "FP64", "shape": [1], "data": [1.0]},
            {"name": "colour", "datatype": "BYTES", "shape": [1], "data": ["red"]},
        ]
        return json.dumps({"inputs": [{k: v for k, v in tensor.items() if v != "gone"}, *others]}).encode()

    changes: dict[str, dict[str, Any]] = {
        "no name": {"name": "gone"},
        "name a number": {"name": 1},
        "another name": {"name": "LENGTH"},
        "no datatype": {"datatype": "gone"},
        "unknown datatype": {"datatype": "FP128"},
        "half in JSON": {"datatype": "FP16"},
        "half of no precision": {"datatype": "INT8", "data": [4.5]},
        "out of range": {"datatype": "UINT8", "data": [300]},
        "negative": {"datatype": "UINT64", "data": [-1]},
        "BOOL of a number": {"datatype": "BOOL", "data": [1]},
        "BYTES of a number": {"datatype": "BYTES", "data": [1]},
        "no shape": {"shape": "gone"},
        "empty shape": {"shape": []},
        "shape a number": {"shape": 1},
        "negative shape": {"shape": [-1]},
        "shape of halves": {"shape": [0.5]},
        "huge shape": {"shape": [10**300]},
        "many dimensions": {"shape": [1] * 9},
        "three dimensions": {"shape": [1, 1, 1]},
        "wide among others": {"shape": [1, 2], "data": [1, 2]},
        "another length": {"shape": [2], "data": [1, 2]},
        "no rows": {"shape": [0], "data": []},
        "no data": {"data": "gone"},
        "data a text": {"data": "4"},
        "too little": {"shape": [2]},
        "nested wrongly": {"shape": [1, 1], "data": [[1, 2]]},
        "data and size": {"parameters": {"binary_data_size": 8}},
        "parameters a list": {"parameters": []},
    }
    for name, changed in changes.items():
        yield Question(name=f"tensor, {name}", path=V2, body=json_tensor(**changed))
    good = json.loads(json_tensor())
    for name, more in {
        "outputs a text": {"outputs": "all"},
        "an unknown output": {"outputs": [{"name": "embedding"}]},
        "classes of less than none": {"outputs": [{"name": "probabilities", "parameters": {"classification": -1}}]},
        "binary a word": {"parameters": {"binary_data_output": "yes"}},
        "id a number": {"id": 7},
        "id too long": {"id": "x" * 1000},
        "inputs an object": {"inputs": {}},
        "no inputs": {"inputs": []},
        "inputs of texts": {"inputs": ["length"]},
        "inputs twice": {"inputs": good["inputs"] * 2},
    }.items():
        yield Question(name=f"v2, {name}", path=V2, body=json.dumps({**good, **more}).encode())
    yield from raw_tensor_bodies()


def raw_tensor_bodies() -> Iterator[Question]:
    """Yield raw tensors of the wrong size, type or text, and headers that lie about their length."""

    def raw(part: bytes, datatype: str = "FP64", shape: Any = (1,), size: Any = None, header: str = "") -> Question:
        width, colour = struct.pack("<d", 1.0), struct.pack("<I", 3) + b"red"
        inputs = [
            {"name": name, "datatype": kind, "shape": list(form), "parameters": {"binary_data_size": bytes_}}
            for name, kind, form, bytes_ in (
                ("length", datatype, shape, len(part) if size is None else size),
                ("width", "FP64", (1,), 8),
                ("colour", "BYTES", (1,), 7),
            )
        ]
        text = json.dumps({"inputs": inputs}).encode()
        sent = {"Content-Type": BINARY, LENGTH: header or str(len(text))}
        return Question(name="", path=V2, body=text + part + width + colour, headers=sent)

    four = struct.pack("<d", 4.0)
    for name, question in {
        "infinite": raw(struct.pack("<d", float("inf"))),
        "NaN": raw(struct.pack("<d", float("nan"))),
        "too short": raw(four[:7]),
        "of another type": raw(four, "FP32"),
        "of another shape": raw(four, shape=(2,)),
        "of a huge shape": raw(four, shape=(2**62, 2**62)),
        "size beyond the body": raw(four, size=10**6),
        "size of a huge number": raw(four, size=10**300),
        "negative size": raw(four, size=-8),
        "size a text": raw(four, size="8"),
        "size too small": raw(four, size=0),
        "unknown type": raw(four, "FP128"),
        "BOOL of two": raw(b"\x02", "BOOL"),
        "text longer than it is": raw(struct.pack("<I", 2**31) + b"x", "BYTES"),
        "text cut in its length": raw(b"\x01\x00", "BYTES"),
        "text not UTF-8": raw(struct.pack("<I", 1) + b"\xff", "BYTES"),
        "more texts than places": raw((struct.pack("<I", 1) + b"x") * 2, "BYTES"),
        "header beyond the body": raw(four, header="999999"),
        "header of none": raw(four, header="0"),
        "header negative": raw(four, header="-1"),
        "header a word": raw(four, header="all"),
        "header in the middle": raw(four, header="20"),
        "header of 100 digits": raw(four, header="9" * 100),
    }.items():
        yield Question(name=f"raw, {name}", path=V2, body=question.body, headers=question.headers)
    one = {"Content-Type": BINARY, LENGTH: "0"}
    yield Question(name="raw alone, of another width", path=V2, body=np.zeros(5).tobytes(), headers=one)
    yield Question(name="raw alone, no whole numbers", path=V2, body=b"abc", headers=one)


def forged_tokens(secret: str, good: str) -> dict[str, str]:
    """Return tokens that must not be believed, made from a good one and even the secret."""
    claims = jwt.decode(good, options={"verify_signature": False})
    head, body, signature = good.split(".")

    def signed(key: str = secret, algorithm: str = "HS256", headers: Any = None, **changed: Any) -> str:
        kept = {name: value for name, value in {**claims, "jti": uuid4().hex, **changed}.items() if value is not None}
        return jwt.encode(kept, key, algorithm=algorithm, headers=headers)

    def part(value: Any) -> str:
        return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return {
        "no algorithm": f"{part({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        "no algorithm, with a signature": f"{part({'alg': 'nOnE'})}.{body}.{signature}",
        "another algorithm": signed(algorithm="HS512"),
        "another key": signed(key="another secret that is long enough for HS256"),
        "an asymmetric name": f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{body}.{signature}",
        "its own key": f"{part({'alg': 'HS256', 'jwk': {'kty': 'oct', 'k': 'AAAA'}})}.{body}.{signature}",
        "another user": f"{head}.{part({**claims, 'user_id': '1', 'roles': ['admin']})}.{signature}",
        "expired": signed(exp=int(time.time()) - 1),
        "without expiry": signed(exp=None),
        "without id": signed(jti=None),
        "of another issuer": signed(iss="elsewhere"),
        "for another audience": signed(aud="elsewhere"),
        "of another kind": signed(token_type="refresh"),
        "of nobody": signed(user_id="99999"),
        "roles of the wrong type": signed(user_id=None, roles=7),
        "a critical demand": signed(headers={"crit": ["exp2"], "exp2": 1}),
        "no signature": f"{head}.{body}",
        "too long": "a" * 100_000,
        "not a token": "ÿÿÿ" * 10,
    }
