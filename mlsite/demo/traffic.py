"""Live traffic: December's flights asked over HTTP, day by day, and answered for later."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

import pyarrow as pa
from django.conf import settings

from features.ground.errors import UnavailableError
from features.ground.paths import var_path
from features.ground.progress import Report
from models_store.models import ModelVersion
from predictions.actions.issue_token import issue_token

CHUNK = 500
SINGLE_ROWS = 30
START_SECONDS = 60
CALLER = "demo-traffic"
LOG = "demo-server.log"


class DemoServerError(UnavailableError):
    """The server that the demo starts for its traffic did not come up."""

    code = "demo_server"


def columns_of(version: ModelVersion) -> list[str]:
    """Return the names of a version's inputs, in order."""
    return [column["name"] for column in version.input_schema]


def replay(live: pa.Table, version: ModelVersion, report: Report) -> dict[str, int]:
    """Send every row through the predict API, then report what happened as feedback.

    Parameters
    ----------
    live : pyarrow.Table
        Rows with the model's inputs and the outcome `late`.
    version : ModelVersion
        Whose inputs are sent, in its order.
    report : Report
        Takes a percent and a step.

    Returns
    -------
    dict of str to int
        Requests, rows and outcomes.
    """
    inputs = live.select(columns_of(version)).to_pylist()
    labels = live["late"].to_pylist()
    sizes = [1] * min(SINGLE_ROWS, len(inputs))
    done = {"requests": 0, "rows": 0, "outcomes": 0}
    with _server() as base:
        token = issue_token(CALLER, role="user", minutes=30, create=True).token
        while done["rows"] < len(inputs):
            start = done["rows"]
            size = sizes.pop() if sizes else CHUNK
            rows = [list(row.values()) for row in inputs[start : start + size]]
            answer = _post(f"{base}/api/v1/models/{version.model.name}/predict", token, {"data": rows})
            known = [(row, label) for row, label in enumerate(labels[start : start + size]) if label is not None]
            if known:
                items = [
                    {"prediction_id": answer["prediction_id"], "row": row, "actual": label} for row, label in known
                ]
                done["outcomes"] += _post(f"{base}/api/v1/feedback", token, {"outcomes": items})["recorded"]
            done["requests"] += 1
            done["rows"] += len(rows)
            report(76 + 9 * done["rows"] // len(inputs), "sending December through the API")
    return done


def _post(url: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = Request(url, json.dumps(body).encode(), headers, method="POST")  # noqa: S310 (our own server)
    with urlopen(request, timeout=60) as answer:  # noqa: S310 (our own server)
        return dict(json.load(answer))


@contextmanager
def _server() -> Iterator[str]:
    """Run the web server on a free port for a while."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    argv = [sys.executable, str(settings.BASE_DIR / "manage.py"), "serve", "--web-only", "--port", str(port)]
    with var_path("logs", LOG).open("ab") as log:
        process = subprocess.Popen([*argv, "--workers", "1"], stdout=log, stderr=log)
    try:
        _wait(base, process)
        yield base
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait(base: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urlopen(f"{base}/api/v1/health/ready", timeout=2):  # noqa: S310 (our own server)
                return
        except OSError:
            time.sleep(0.1)
    raise DemoServerError(
        f"the web server did not answer at {base} within {START_SECONDS} s: see {var_path('logs', LOG)}"
    )
