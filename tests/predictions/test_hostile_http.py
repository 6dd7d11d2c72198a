"""Hostile requests over real HTTP: each a 4xx in the caller's dialect, and the next good one is answered."""

import json
import socket
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.predictions.hostile import (
    MLFLOW,
    OWN,
    V2,
    Question,
    cell_bodies,
    forged_tokens,
    tensor_bodies,
    whole_bodies,
)
from tests.served import Server, Site, copied_site

# One process starts the site for all of them.
pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("hostile")]
GOOD = b'{"data": [[4.0, 1.5, "red"]]}'
MEMORY_BYTES = 20 * 2**20
SHAPES = {
    OWN: lambda answer: {"error", "code", "request_id"} <= set(answer) <= {"error", "code", "request_id", "fields"},
    V2: lambda answer: set(answer) == {"error"} and bool(answer["error"]),
    MLFLOW: lambda answer: set(answer) == {"error_code", "message"} and bool(answer["message"]),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    claims = ("EXPIRY", "TOKEN_ID", "ISSUER", "AUDIENCE")
    strict = {f"SECURITY__REQUIRE_{claim}": "true" for claim in claims}
    return copied_site(tmp_path_factory, **strict)


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    with site.served() as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base, timeout=60) as client:
        yield client


def bearer(site: Site) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.tokens['user']}"}


def fault(question: Question, response: httpx.Response) -> str:
    """Return what is wrong with the answer to a hostile question."""
    if not 400 <= response.status_code < 500:
        return f"{response.status_code} {response.text[:200]}"
    if response.headers["Content-Type"] != "application/json" or not SHAPES[question.path](response.json()):
        return f"{response.headers['Content-Type']} {response.text[:200]}"
    if len(response.content) > 4096:
        return f"an answer of {len(response.content)} bytes"
    return ""


def asked(client: httpx.Client, site: Site, questions: Iterator[Question]) -> tuple[int, dict[str, str]]:
    """Return how many questions were asked, and what is wrong with the answers."""
    count, wrong = 0, {}
    for question in questions:
        count += 1
        # A connection each: one whose body nobody read to its end is closed when the server comes to it.
        headers = {**bearer(site), **question.headers, "Connection": "close"}
        response = client.post(question.path, content=question.body, headers=headers)
        if found := fault(question, response):
            wrong[question.name] = found
    return count, wrong


def answers_well(client: httpx.Client, site: Site) -> bool:
    headers = {**bearer(site), "Content-Type": "application/json"}
    return client.post(OWN, content=GOOD, headers=headers).json()["predictions"] == ["small"]


@pytest.mark.parametrize(("bodies", "least"), [(cell_bodies, 125), (whole_bodies, 115), (tensor_bodies, 60)])
def test_every_hostile_body_is_refused_in_its_dialect(
    server: Server, client: httpx.Client, site: Site, bodies: Any, least: int
) -> None:
    asked(client, site, islice(bodies(), 40))  # what is imported and cached at the first time is no growth
    before = server.resident_bytes()
    count, wrong = asked(client, site, bodies())
    grown = server.resident_bytes() - before
    assert wrong == {}
    assert count >= least
    assert grown < MEMORY_BYTES
    assert answers_well(client, site)


@pytest.mark.parametrize("path", [OWN, V2, MLFLOW])
def test_every_forged_token_is_refused(client: httpx.Client, site: Site, path: str) -> None:
    secret = (Path(site.environ["VAR_DIR"]) / "secrets/jwt_secret").read_text().strip()
    forged = forged_tokens(secret, site.tokens["user"])
    statuses = {}
    for name, token in forged.items():
        headers = {b"Authorization": b"Bearer " + token.encode("latin-1"), b"Content-Type": b"application/json"}
        response = client.post(path, content=GOOD, headers=headers)
        statuses[name] = (response.status_code, SHAPES[path](response.json()))
    assert len(statuses) >= 12
    assert {name: found for name, found in statuses.items() if found not in ((401, True), (431, True))} == {}
    assert answers_well(client, site)


def test_ten_thousand_junk_tokens_take_no_memory(site: Site) -> None:
    def junk(number: int) -> str:
        """Return what looks like a token, a key, a password, or nothing at all, and is a new one each time."""
        forms = (f"Bearer {number:0>400}.x.y", f"Bearer mlk_{number:0>12x}_{'k' * 43}")
        basic = b64encode(f"svc:{number:0>400}".encode()).decode()
        return (*forms, f"Basic {basic}", f"Bearer {number:0>2000}")[number % 4]

    def statuses(server: Server, numbers: range) -> set[int]:
        found = set()
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        for number in numbers:
            # Without a body: of one that nobody reads a server may close the connection.
            headers = {"Authorization": junk(number), "Content-Type": "application/json", "Content-Length": "0"}
            connection.request("POST", OWN, headers=headers)
            with connection.getresponse() as response:
                response.read()
                found.add(response.status)
        connection.close()
        return found

    with site.served() as server, httpx.Client(base_url=server.base, timeout=60) as client:
        statuses(server, range(1000))
        before = server.resident_bytes()
        assert statuses(server, range(1000, 11_000)) == {401}
        assert server.resident_bytes() - before < MEMORY_BYTES
        assert answers_well(client, site)


def test_headers_that_claim_to_be_somebody_are_not_believed(client: httpx.Client, site: Site) -> None:
    claims = {
        "X-Forwarded-User": "admin-caller", "Remote-User": "admin-caller", "X-Remote-User": "admin-caller",
        "X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "X-Original-URL": "/", "X-Rewrite-URL": "/ping",
        "X-HTTP-Method-Override": "GET", "X-Forwarded-Proto": "https", "Forwarded": "for=127.0.0.1", "X-Roles": "admin",
        "Cookie": "sessionid=admin-caller", "X-Request-ID": "a\tb" * 100,
    }  # fmt: skip
    for path in (OWN, V2, MLFLOW):
        response = client.post(path, content=GOOD, headers={**claims, "Content-Type": "application/json"})
        assert (response.status_code, SHAPES[path](response.json())) == (401, True)
        assert "\t" not in response.headers["X-Request-ID"]
        # Nor do they add to what a token may.
        reader = {"Authorization": f"Bearer {site.tokens['readonly']}", "Content-Type": "application/json"}
        response = client.post(path, content=GOOD, headers={**claims, **reader})
        assert (response.status_code, SHAPES[path](response.json())) == (403, True)
    response = client.post(OWN, content=GOOD, headers={"Host": "elsewhere.example"})
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")


def exchange(server: Server, text: bytes) -> bytes:
    """Return all the server says to some bytes until it closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(text)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_bodies_without_a_length_are_refused(server: Server, client: httpx.Client, site: Site) -> None:
    for path in (OWN, V2, MLFLOW):
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer(site)['Authorization']}\r\n"
        rest = "Connection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1d\r\n"
        answer = exchange(server, f"{head}{rest}".encode() + GOOD + b"\r\n0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 411 ")
        assert b"Send a Content-Length: bodies in chunks are not read" in answer
    assert answers_well(client, site)


def test_slow_clients_without_a_token_keep_nobody_waiting(server: Server, client: httpx.Client, site: Site) -> None:
    head = f"POST {OWN} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    begun = [head[: 20 + n] if n % 2 else f"{head}Content-Length: 29\r\n\r\n{{" for n in range(200)]
    slow = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in begun]
    try:
        for connection, text in zip(slow, begun, strict=True):
            connection.sendall(text.encode())
        assert all(answers_well(client, site) for _ in range(20))
        assert b" 401 " in slow[0].recv(65_536)
    finally:
        for connection in slow:
            connection.close()
    assert answers_well(client, site)


def test_a_hostile_request_leaves_nothing_in_the_log(client: httpx.Client, site: Site) -> None:
    headers = {**bearer(site), "Content-Type": "application/json", "X-Request-ID": "hostile-1"}
    answer = client.post(OWN, content=b'{"data": [[4, 1, "red"], [1e999, 1, "red"]]}', headers=headers)
    assert answer.status_code == 400
    good = client.post(OWN, content=GOOD, headers=headers).json()
    read = {"Authorization": f"Bearer {site.tokens['readonly']}"}
    found = client.get(f"/api/v1/predictions/{good['prediction_id']}", headers=read).json()
    assert found["inputs"] == json.loads(GOOD)["data"]
