"""Requests to the predict routes of our own dialect, good and bad, for whichever edge answers them."""

import base64
import gzip
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.predictions.dialects import NAMES, ROWS
from tests.predictions.hostile import CELLS, WHOLE

JSON = "application/json"
DEFAULT = "/api/v1/predict"
ROUTES = (DEFAULT, "/api/v1/models/tiny/predict", "/api/v1/models/tiny/versions/1/predict")


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request: by whom (a role, or a whole Authorization header), of what."""

    name: str
    path: str = DEFAULT
    method: str = "POST"
    body: bytes = b'{"data": [[4.0, 1.5, "red"]]}'
    headers: dict[str, str] = field(default_factory=dict)
    role: str | None = "user"


def bodies() -> dict[str, bytes]:
    """Return bodies by name, good ones first."""
    records = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
    values: dict[str, Any] = {
        "rows": {"data": ROWS},
        "one row": {"data": ROWS[:1]},
        "thousand rows": {"data": ROWS * 250},
        "too many rows": {"data": ROWS * 251},
        "records": {"records": records},
        "records in another order": {"records": [dict(reversed(record.items())) for record in records]},
        "booleans": {"data": [[True, False, "red"]]},
        "whole numbers": {"data": [[4, 2**53 + 1, "red"]]},
        "bounds": {"data": [[0, -1e30, "red"], [100, 1e30, "blue"]]},
        "entities": {"entities": ["N1"]},
        "no rows": {"data": []},
        "no records": {"records": []},
        "no entities": {"entities": []},
        "two forms": {"data": ROWS, "records": records},
        "short row": {"data": [[1, 2]]},
        "long row": {"data": [[1, 2, "red", 4]]},
        "row a number": {"data": [1]},
        "row an object": {"data": [{"length": 1}]},
        "data an object": {"data": {}},
        "record lacks": {"records": [{"length": 1}]},
        "record unknown": {"records": [{**records[0], "more": 1}]},
        "record a list": {"records": [[1]]},
        "another colour": {"data": [[1, 2, "green"]]},
        "colour missing": {"data": [[1, 2, None]]},
        "colour a number": {"data": [[1, 2, 3]]},
        "entity a number": {"entities": [1]},
        "long entity": {"entities": ["x" * 301]},
    }
    found = {name: json.dumps(value).encode() for name, value in values.items()}
    found["key twice"] = b'{"data": [[1, 2, "red"]], "data": [[9, 2, "red"]]}'
    found["key twice in a record"] = b'{"records": [{"length": 1, "length": 9, "width": 1, "colour": "red"}]}'
    found["NaN where it may be"] = b'{"data": [[1, NaN, "red"]]}'
    found["spaces"] = b' \n{ "data" : [ [ 4.0 , 1.5 , "red" ] ] } \t'
    found["escapes"] = b'{"d\\u0061ta": [[4.0, 1.5, "\\u0072ed"]]}'
    cells = {f"cell {name}": b'{"data": [[%b, 1, "red"]]}' % cell for name, cell in CELLS.items()}
    return found | cells | {f"body {name}": body for name, body in WHOLE.items()}


def asks() -> Iterator[Ask]:
    """Yield every body on every route, then what may be odd about the rest of a request."""
    for path, (name, body) in itertools.product(ROUTES, bodies().items()):
        yield Ask(name=f"{path}: {name}", path=path, body=body, headers={"Content-Type": JSON})
    for name, sent in {
        "no type": {},
        "type in capitals": {"Content-Type": "Application/JSON"},
        "type with charset": {"Content-Type": "application/json; charset=UTF-8"},
        "another charset": {"Content-Type": "application/json; charset=latin-1"},
        "text": {"Content-Type": "text/plain"},
        "accepts all": {"Accept": "*/*"},
        "accepts JSON or any": {"Accept": "application/json, */*;q=0.5"},
        "accepts HTML": {"Accept": "text/html"},
        "accepts CSV": {"Accept": "text/csv"},
        "id": {"X-Request-ID": "mine-1"},
        "id of 64": {"X-Request-ID": "i" * 64},
        "id too long": {"X-Request-ID": "i" * 65},
        "id of spaces": {"X-Request-ID": "a b"},
        "identity": {"Content-Encoding": "identity"},
        "brotli": {"Content-Encoding": "br"},
        "a cookie": {"Cookie": "sessionid=x"},
        "forwarded": {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.0.1"},
        "another host": {"Host": "elsewhere.example"},
        "origin": {"Origin": "https://elsewhere.example"},
        "range": {"Range": "bytes=0-1"},
    }.items():
        yield Ask(name=name, headers={"Content-Type": JSON, **sent} if name != "no type" else sent)
    yield Ask(
        name="gzip", body=gzip.compress(Ask(name="").body), headers={"Content-Type": JSON, "Content-Encoding": "gzip"}
    )
    yield from _who_and_where()


def _who_and_where() -> Iterator[Ask]:
    sent = {"Content-Type": JSON}
    for role in ("admin", "promoter", "approver", "readonly", None):
        for path in ROUTES:
            yield Ask(name=f"{role} at {path}", role=role, path=path, headers=sent)
    basic = base64.b64encode(b"svc:junk").decode()
    for given in (
        "Bearer",
        "Bearer junk",
        "bearer junk",
        "Token x",
        "Basic !",
        f"Basic {basic}",
        "Bearer a b",
    ):
        yield Ask(name=f"as {given}", role=None, headers={**sent, "Authorization": given})
    for method, path in itertools.product(("GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"), ROUTES):
        yield Ask(name=f"{method} {path}", method=method, path=path, headers=sent)
    for path in (
        "/api/v1/models/nope/predict",
        "/api/v1/models/tiny/versions/9/predict",
        "/api/v1/models/tiny/versions/0/predict",
        "/api/v1/models/tiny/versions/x/predict",
        "/api/v1/models/a%20b/predict",
        "/api/v1/models//predict",
        "/api/v1/models/tiny/predict/",
        "/api/v1/predict/",
        "/api/v1//predict",
        "/api/v1/predict?x=1",
        "/api/v1/predict?format=csv",
        "/api/v1/models/size/predict",
        "/api/v1/models/kept/predict",
        f"/api/v1/models/{'x' * 300}/predict",
    ):
        yield Ask(name=path[:60], path=path, headers=sent)
