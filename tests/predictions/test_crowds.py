"""The web server with slow clients, and with more to do than it can."""

import select
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.mlsite.test_supervisor import wait_for
from tests.served import Server, Site, copied_site

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("crowds")]
OWN, TOKEN = "/api/v1/predict", "/api/v1/token"
LANE_BODY = b'{"data": [[4.0, 1.5, "red"]]}'
SLOW_CLIENTS = 200


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return copied_site(tmp_path_factory, TOKEN_RATE_LIMIT="off", MODEL__CACHE_SIZE="0")


def headers(site: Site) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.tokens['user']}", "Content-Type": "application/json"}


def beginning(site: Site, path: str, body: bytes) -> bytes:
    """Return a request whose body stops after its first byte."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers(site).items() if path != TOKEN or name == "Content-Type"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body[:1]


@contextmanager
def slow_clients(server: Server, beginnings: list[bytes]) -> Iterator[list[socket.socket]]:
    """Begin requests and leave them so until the block ends."""
    with ExitStack() as stack:
        opened = []
        for text in beginnings:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            connection.sendall(text)
            opened.append(connection)
        yield opened


def predicted(client: httpx.Client, site: Site) -> bool:
    return client.post(OWN, content=LANE_BODY, headers=headers(site)).json().get("predictions") == ["small"]


def test_two_hundred_slow_bodies_keep_nobody_waiting(site: Site) -> None:
    credentials = b'{"username": "user-caller", "password": "user-Pass-4711"}'
    asked = [(OWN, LANE_BODY), (TOKEN, credentials)] * (SLOW_CLIENTS // 2)
    with site.served() as server, httpx.Client(base_url=server.base, timeout=60) as client:
        assert predicted(client, site)
        with slow_clients(server, [beginning(site, path, body) for path, body in asked]) as slow:
            assert all(predicted(client, site) for _ in range(50))
            assert client.post(TOKEN, content=credentials, headers={"Content-Type": "application/json"}).is_success
            assert client.get("/api/v1/health/ready").status_code == 200
            # None of them has been forgotten; passwords are looked at slowly, so not all of them are sent.
            rest = [
                (one, body) for one, (path, body) in zip(slow, asked, strict=True) if path == OWN or one is slow[-1]
            ]
            for connection, body in rest:
                connection.sendall(body[1:])
            assert {connection.recv(65_536)[:12] for connection, _ in rest} == {b"HTTP/1.1 200"}
        assert all(predicted(client, site) for _ in range(50))


def test_of_slow_bodies_so_many_are_waited_for_and_nobody_else_is_refused(site: Site) -> None:
    limit = 8
    slow_body = beginning(site, OWN, LANE_BODY)
    with (
        site.served(SERVER__MAX_SLOW_SENDERS=str(limit)) as server,
        httpx.Client(base_url=server.base, timeout=60) as client,
    ):
        assert predicted(client, site)
        # All begin; one is refused for each that there are too many, and whoever is waited for hears nothing yet.
        with slow_clients(server, [slow_body] * (limit + 3)) as slow:
            refused = [one for one in answered(slow, 3) if b"slow_senders" in one.recv(65_536)]
            assert len(refused) == 3
            # Whoever sends all at once is no slow sender, whatever is asked.
            assert all(predicted(client, site) for _ in range(50))
            assert client.post(OWN, content=b"{}", headers=headers(site)).status_code == 400
            assert client.get("/api/v1/health").status_code == 200
            waiting = [one for one in slow if one not in refused]
            for connection in waiting:
                connection.sendall(LANE_BODY[1:])
            assert {connection.recv(65_536)[:12] for connection in waiting} == {b"HTTP/1.1 200"}
        metrics = client.get("/api/v1/metrics").text
        assert 'overloaded_total{reason="slow_senders"} 3.0' in metrics
        # As many again, since nobody is waited for any longer.
        with slow_clients(server, [slow_body] * (limit + 1)) as slow:
            (refused_one,) = answered(slow, 1)
            assert refused_one.recv(65_536).startswith(b"HTTP/1.1 503")


def answered(connections: list[socket.socket], count: int) -> list[socket.socket]:
    """Return those who have an answer, once there are so many."""
    found = list[socket.socket]()

    def are_there() -> bool:
        found[:] = select.select(connections, [], [], 1)[0]
        return len(found) >= count

    wait_for(are_there, 60)
    return found


def test_what_is_over_the_servers_capacity_is_refused_and_the_rest_is_answered(site: Site) -> None:
    limit = 8
    application = "tests.predictions.slow_model:application"
    with (
        site.served(application, SERVER__MAX_IN_PROGRESS=str(limit)) as server,
        httpx.Client(base_url=server.base, timeout=60) as client,
    ):
        assert predicted(client, site)

        def caller(_: int) -> list[httpx.Response]:
            with httpx.Client(base_url=server.base, timeout=60) as own:
                return [own.post(OWN, content=LANE_BODY, headers=headers(site)) for _ in range(6)]

        with ThreadPoolExecutor(4 * limit) as pool:
            waiting = [pool.submit(caller, number) for number in range(4 * limit)]
            health = {client.get("/api/v1/health/ready").status_code for _ in range(10)}
            answers = [answer for future in waiting for answer in future.result()]
        metrics = client.get("/api/v1/metrics").text
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 503}
    assert statuses.total() == 4 * limit * 6
    assert min(statuses.values()) >= limit
    assert {answer.json()["predictions"][0] for answer in answers if answer.status_code == 200} == {"small"}
    refused = [answer for answer in answers if answer.status_code == 503]
    assert {(answer.json()["code"], answer.headers["Retry-After"]) for answer in refused} == {("overloaded", "1")}
    # Nobody who was let in waited behind more than the limit.
    assert int(Path(site.environ["VAR_DIR"], "most").read_text()) <= limit
    assert health == {200}
    assert f'overloaded_total{{reason="in_progress"}} {float(len(refused))}' in metrics
