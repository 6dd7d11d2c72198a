#!/usr/bin/env python
"""Ask a running server one question at a time, alone and beside clients that stop in the middle of their bodies.

Prints latencies before, meanwhile and afterwards as one JSON object. Half of the slow clients have a token and ask for
a prediction, half have none and ask for a token. Needs nothing but Python. See README.md in this folder.
"""

import argparse
import http.client
import json
import os
import socket
import time
from contextlib import ExitStack
from urllib.parse import urlsplit


def main() -> None:
    """Read the options, measure, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="name of a model with a production version")
    parser.add_argument("body", help='a predict request it answers, such as \'{"data": [[4, 1.5, "red"]]}\'')
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--token", default=os.environ.get("TOKEN", ""), help="a JWT (default: $TOKEN)")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--requests", type=int, default=1000)
    options = parser.parse_args()
    ask(options, 100)  # warm
    figures = {"clients": options.clients, "before": ask(options, options.requests)}
    with ExitStack() as stack:
        for number in range(options.clients):
            connection = socket.create_connection(address(options), timeout=30)
            stack.enter_context(connection)
            connection.sendall(beginning(options, has_token=bool(number % 2)))
        time.sleep(0.5)
        figures["meanwhile"] = ask(options, options.requests)
    figures["afterwards"] = ask(options, options.requests)
    print(json.dumps(figures))


def address(options: argparse.Namespace) -> tuple[str, int]:
    """Return host and port of the server."""
    parts = urlsplit(options.url)
    return parts.hostname or "127.0.0.1", parts.port or 80


def beginning(options: argparse.Namespace, *, has_token: bool) -> bytes:
    """Return the head of a request and the first byte of its body."""
    path = f"/api/v1/models/{options.model}/predict" if has_token else "/api/v1/token"
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Content-Length: 60"]
    lines += [f"Authorization: Bearer {options.token}"] if has_token else []
    return "\r\n".join([*lines, "", "{"]).encode()


def ask(options: argparse.Namespace, count: int) -> dict[str, float]:
    """Return the latencies of requests on one connection, in milliseconds."""
    connection = http.client.HTTPConnection(*address(options), timeout=60)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {options.token}"}
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        connection.request("POST", f"/api/v1/models/{options.model}/predict", options.body, headers)
        response = connection.getresponse()
        answer = response.read()
        taken.append((time.perf_counter() - started) * 1000)
        if response.status != 200:
            raise SystemExit(f"a request that must work got {response.status}: {answer[:500].decode()}")
    connection.close()
    taken.sort()
    return {
        name: round(taken[min(count - 1, int(count * share))], 3)
        for name, share in {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}.items()
    }


if __name__ == "__main__":
    main()
