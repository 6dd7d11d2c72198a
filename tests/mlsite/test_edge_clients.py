"""Heads that are known by their bytes are their senders' own: tokens, limits, ids and models hold."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import jwt
import pytest

from mlsite.config.schema import ROOT
from tests.mlsite.test_supervisor import wait_for
from tests.mlsite.wire import PREDICT, SIZE, Wire, question, wired
from tests.served import Server, Site, copied_site

# One process starts the sites for all of them.
pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("edge")]
LINE = "X-Forwarded-Proto: https"
PROMOTED = (
    "import django; django.setup();from tests.predictions.tiny import staged; print(staged(name='tiny', seed=1).number)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return copied_site(tmp_path_factory, MODEL__CACHE_SIZE="0", SECURITY__TOKEN_CACHE_S="1")


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    with site.served() as server:
        yield server


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with wired(server) as wire:
        yield wire


def is_known(wire: Wire, text: bytes) -> bool:
    """Have a head be known: the first answer is Django's, the second learns it."""
    return [wire.asks(text).status for _ in range(3)] == [200] * 3


def run(site: Site, *argv: str) -> str:
    command = [sys.executable, *argv]
    done = subprocess.run(command, env=site.environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def signed(site: Site, seconds: float) -> str:
    """Return a token of a service that holds for so long."""
    claims = {"exp": time.time() + seconds, "jti": uuid4().hex, "sub": "short", "roles": ["user"]}
    claims |= {"iss": "mlsite", "aud": "mlsite-api"}
    secret = (Path(site.environ["VAR_DIR"]) / "secrets/jwt_secret").read_text().strip()
    return jwt.encode(claims, secret, algorithm="HS256")


def test_a_token_that_expires_is_refused_though_its_head_is_known(site: Site, wire: Wire) -> None:
    text = question(signed(site, 10), 4.0)
    assert is_known(wire, text)
    wait_for(lambda: wire.asks(text).status == 401, 60)
    assert wire.asks(text).status == 401


def test_a_key_that_is_revoked_is_refused_though_its_head_is_known(site: Site, wire: Wire) -> None:
    key = json.loads(run(site, "manage.py", "api_keys", "new", "edge", "--actor", "root", "--json"))["key"]
    text = question(key, 4.0)
    assert is_known(wire, text)
    run(site, "manage.py", "api_keys", "revoke", "edge", "--actor", "root")
    wait_for(lambda: wire.asks(text).status == 401, 60)
    assert wire.asks(text).status == 401


def test_a_head_is_no_token(site: Site, wire: Wire) -> None:
    good, readonly = (question(site.tokens[role], 4.0) for role in ("user", "readonly"))
    forged = good.replace(site.tokens["user"].encode(), site.tokens["user"][:-4].encode() + b"AAAA")
    assert [wire.asks(text).status for text in (good, readonly, forged) * 3] == [200, 403, 401] * 3


def test_clients_with_known_heads_get_their_own_answers(site: Site, server: Server) -> None:
    roles = ("user", "admin", "readonly")

    def client(number: int) -> list[object]:
        token, length = site.tokens[roles[number % 3]], 1.0 + number
        found = list[object]()
        with wired(server) as wire:
            text = question(token, length, path=SIZE)
            for _ in range(100):
                answer = wire.asks(text)
                found.append(answer.status if answer.status != 200 else round(float(str(answer.predictions[0]))))
        return found

    with ThreadPoolExecutor(9) as pool:
        answers = list(pool.map(client, range(9)))
    assert [set(found) for found in answers] == [{403} if number % 3 == 2 else {number + 1} for number in range(9)]


def test_a_request_id_is_given_back_as_it_came(site: Site, wire: Wire) -> None:
    # The beginning is the same, so that the heads differ by their ids alone.
    for given in ("AbC-1", "abc-1", "ABC-1", "a:B.c_9", "AbC-1"):
        answer = wire.asks(question(site.tokens["user"], 4.0, lines=(f"X-Request-ID: {given}",)))
        assert (answer.status, answer.headers["x-request-id"]) == (200, given)
    for given in ("a b", "ä", "x" * 65, "a\tb"):
        answer = wire.asks(question(site.tokens["user"], 4.0, lines=(f"X-Request-ID: {given}",)))
        assert answer.status == 200
        assert len(answer.headers["x-request-id"]) == 32


def test_a_name_with_an_underscore_is_no_other_name(site: Site, wire: Wire) -> None:
    token = site.tokens["user"]
    plain = wire.asks(question(token, 4.0))
    for _ in range(3):
        lines = ("X_Request_ID: mine", "X_Forwarded_Proto: https", "Content_Encoding: gzip", "Transfer_Encoding: x")
        answer = wire.asks(question(token, 4.0, lines=lines))
        assert (answer.status, answer.predictions) == (200, ["small"])
        assert answer.headers.keys() == plain.headers.keys()
        assert answer.headers["x-request-id"] != "mine"
    nobody = wire.asks(question("none", 4.0, lines=(f"Authorization_: Bearer {token}",)))
    assert nobody.status == 401


def test_only_what_the_proxy_says_of_tls_is_believed(site: Site) -> None:
    token, secure = site.tokens["user"], "strict-transport-security"
    proxied = {"SERVER__TRUSTED_PROXIES": "127.0.0.1", "SERVER__SECURE": "true"}
    with site.served(**proxied) as server, wired(server) as wire:
        for _ in range(3):
            assert secure in wire.asks(question(token, 4.0, lines=(LINE,))).headers
            assert secure not in wire.asks(question(token, 4.0, lines=(LINE.replace("-", "_"),))).headers
            assert secure not in wire.asks(question(token, 4.0)).headers


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("Authorization: Bearer none", 401),
        ("Content-Type: application/json", 415),
        ("Host: localhost", 400),
        ("X-Request-ID: one\r\nX-Request-ID: two", 200),
        ("Accept: application/json\r\nAccept: */*", 200),
    ],
)
def test_a_header_that_comes_twice_counts_as_both(site: Site, wire: Wire, line: str, status: int) -> None:
    for _ in range(3):
        answer = wire.asks(question(site.tokens["user"], 4.0, lines=(line,)))
        assert answer.status == status
        assert answer.headers["x-request-id"] not in ("one", "two")


def metric(server: Server, line: str) -> float:
    text = httpx.get(f"{server.base}/api/v1/metrics").text
    return sum(float(found.rpartition(" ")[2]) for found in text.splitlines() if found.startswith(line))


def test_a_limit_is_reached_though_the_head_is_known(site: Site) -> None:
    token = site.tokens["user"]
    route = 'http_requests_total{method="POST",route="api/v1/predict",status='
    with site.served(RATE_LIMIT="8/day") as server, wired(server) as wire:
        good = question(token, 4.0)
        found = [wire.asks(text) for text in (good, good, good, question(token, 500.0), good, good, good, good, good)]
        found += [wire.asks(good)]
        assert [answer.status for answer in found] == [200, 200, 200, 400, 200, 200, 200, 200, 429, 429]
        left = [int(answer.headers["x-ratelimit-remaining"]) for answer in found]
        assert left == [7, 6, 5, 4, 3, 2, 1, 0, 0, 0]
        refused = found[-1]
        assert json.loads(refused.content)["code"] == "rate_limited"
        assert int(refused.headers["retry-after"]) > 0
        assert len({answer.headers["x-ratelimit-reset"] for answer in found}) == 1
        # Each was counted once.
        assert metric(server, 'rate_limited_total{scope="predict"}') == 2
        wait_for(lambda: metric(server, f'{route}"200"') == 7, 20)
        assert [metric(server, f'{route}"{status}"') for status in (400, 429)] == [1, 2]
        # Another caller has a count of its own.
        assert wire.asks(question(site.tokens["admin"], 4.0)).headers["x-ratelimit-remaining"] == "7"
    assert PREDICT.endswith("api/v1/predict")


def test_a_version_that_is_promoted_meanwhile_answers(site: Site, wire: Wire) -> None:
    text = question(site.tokens["user"], 4.5)
    assert is_known(wire, text)
    assert (wire.asks(text).predictions, version(wire, text)) == (["big"], 1)
    assert run(site, "-c", PROMOTED).split()[-1] == "2"
    wait_for(lambda: version(wire, text) == 2, 60)
    # It draws its line elsewhere.
    assert wire.asks(text).predictions == ["small"]


def version(wire: Wire, text: bytes) -> int:
    return int(json.loads(wire.asks(text).content)["model"]["version"])
