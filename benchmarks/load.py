#!/usr/bin/env python
"""Load a running server with one-row predict requests; print requests per second and latencies as one JSON object.

Needs nothing but Python. Where `wrk` is installed it makes the load, because Python clients tire before the server
does. See README.md in this folder.
"""

import argparse
import http.client
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BODIES = 500  # different rows, so that a cache of answers is not what is measured unless --same is given
LUA = """
local bodies, n = { %s }, 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %s"
request = function() n = n %% #bodies + 1; return wrk.format(nil, nil, nil, bodies[n]) end
done = function(s, l)
  local bad = s.errors.status + s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout
  io.write(string.format("@@%%d %%d %%d %%f %%f\\n", s.requests, s.duration, bad,
    l:percentile(50) / 1000, l:percentile(99) / 1000))
end
"""


def main() -> None:
    """Read the options, check one answer, make the load, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="name of a model with a production version")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--token", default=os.environ.get("TOKEN", ""), help="a JWT (default: $TOKEN)")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--row", type=json.loads, help="a JSON row to vary (default: made from the model's schema)")
    parser.add_argument("--same", action="store_true", help="send one row again and again")
    options = parser.parse_args()
    bodies = make_bodies(options)
    path = f"/api/v1/models/{options.model}/predict"
    status, answer = call(options, "POST", path, bodies[0])
    if status != 200:
        raise SystemExit(f"one request must work before many are sent; got {status}: {answer[:500].decode()}")
    load = with_wrk if shutil.which("wrk") else with_threads
    load(options, path, bodies[:20])  # warm
    figures = load(options, path, bodies)
    print(json.dumps({"client": load.__name__.removeprefix("with_"), "connections": options.connections, **figures}))


def call(options: argparse.Namespace, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Send one request on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(options.url).netloc, timeout=30)
    try:
        connection.request(method, path, body, headers(options))
        response = connection.getresponse()
        return response.status, response.read()
    except OSError as error:
        raise SystemExit(f"no server answers at {options.url}: {error}") from error


def headers(options: argparse.Namespace) -> dict[str, str]:
    """Return the headers of every request."""
    return {"Content-Type": "application/json", "Authorization": f"Bearer {options.token}"}


def make_bodies(options: argparse.Namespace) -> list[bytes]:
    """Return request bodies that differ in their numbers."""
    row = options.row or row_of_schema(options)
    draw = random.Random(0)
    count = 1 if options.same else BODIES
    rows = [[cell * draw.uniform(0.9, 1) if isinstance(cell, float) else cell for cell in row] for _ in range(count)]
    return [json.dumps({"data": [cells]}).encode() for cells in rows]


def row_of_schema(options: argparse.Namespace) -> list[Any]:
    """Return a row within the bounds of the production version's input columns."""
    production = read(options, f"/api/v1/models/{options.model}")["production"]
    columns = read(options, f"/api/v1/models/{options.model}/versions/{production}")["schema"]["inputs"]
    return [cell_of(column) for column in columns]


def read(options: argparse.Namespace, path: str) -> dict[str, Any]:
    """Return the JSON object at a path."""
    status, answer = call(options, "GET", path)
    if status != 200:
        raise SystemExit(f"GET {path} answered {status}: {answer[:500].decode()}")
    found: dict[str, Any] = json.loads(answer)
    return found


def cell_of(column: dict[str, Any]) -> Any:
    """Return a value a column may hold."""
    if column.get("allowed"):
        return column["allowed"][0]
    if column["dtype"] == "string":
        return "a"
    low, high = column.get("min"), column.get("max")
    return float(high if high is not None else (low or 0) + 10)


def with_wrk(options: argparse.Namespace, path: str, bodies: list[bytes]) -> dict[str, float]:
    """Make the load with wrk."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "load.lua")
        script.write_text(LUA % (",".join(json.dumps(body.decode()) for body in bodies), options.token))
        command = ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds:g}s", "-s", str(script)]
        out = subprocess.run([*command, options.url + path], capture_output=True, text=True, check=True).stdout
    found = re.search(r"@@(\d+) (\d+) (\d+) ([\d.]+) ([\d.]+)", out)
    if not found:
        raise SystemExit(f"wrk said nothing that could be read:\n{out}")
    requests, microseconds, failed, p50, p99 = (float(part) for part in found.groups())
    return figures_of(int(requests), microseconds / 1e6, int(failed), p50, p99)


def with_threads(options: argparse.Namespace, path: str, bodies: list[bytes]) -> dict[str, float]:
    """Make the load with one Python thread per connection."""
    latencies: list[float] = []
    failed: list[int] = []
    until = time.perf_counter() + options.seconds

    def work(offset: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(options.url).netloc, timeout=30)
        number = offset
        while (started := time.perf_counter()) < until:
            connection.request("POST", path, bodies[number % len(bodies)], headers(options))
            response = connection.getresponse()
            response.read()
            latencies.append((time.perf_counter() - started) * 1000)
            number += 1
            if response.status != 200:
                failed.append(response.status)

    begun = time.perf_counter()
    threads = [threading.Thread(target=work, args=(number * 7,)) for number in range(options.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    ordered = sorted(latencies)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99))
    return figures_of(len(ordered), seconds, len(failed), p50, p99)


def figures_of(requests: int, seconds: float, failed: int, p50_ms: float, p99_ms: float) -> dict[str, float]:
    """Return the figures by name; failed requests are told, and do not count as served."""
    served = (requests - failed) / seconds
    return {
        "requests_per_second": round(served, 1),
        "p50_ms": round(p50_ms, 3),
        "p99_ms": round(p99_ms, 3),
        "requests": requests,
        "failed": failed,
    }


if __name__ == "__main__":
    main()
