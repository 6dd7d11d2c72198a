"""Clients who ask for more than they read."""

import socket
from collections.abc import Iterator

import pytest

from tests.mlsite.wire import SIZE, asks, question, wired
from tests.served import Server, Site, copied_site

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("edge")]
MEGABYTE = 2**20
# What the system keeps for both sides of a connection, and more than that.
MOST_SENT, MOST_GROWN = 32 * MEGABYTE, 48 * MEGABYTE
# A server that reads nothing for so long reads nothing more.
PATIENCE_S = 4.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return copied_site(tmp_path_factory)


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    with site.served() as server:
        yield server


def sent(connection: socket.socket, text: bytes, most: int) -> int:
    """Send a text again and again until the other side reads no more, and return how much it was."""
    many = memoryview(text * (MEGABYTE // len(text) + 1))
    count, left = 0, many
    connection.settimeout(PATIENCE_S)
    try:
        while count < most:
            done = connection.send(left[:65_536])
            count += done
            left = left[done:] or many
    except TimeoutError:
        pass
    return count


@pytest.mark.parametrize("kind", ["ordinary", "other", "get"])
def test_of_a_client_who_reads_nothing_the_server_reads_no_more(server: Server, site: Site, kind: str) -> None:
    token = site.tokens["user"]
    ordinary, path = question(token, 4.0), "/api/v1/health/live"
    # A cookie makes it Django's.
    other = question(token, 4.0, lines=("Cookie: a=1",))
    text = {"ordinary": ordinary, "other": other, "get": f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()}[
        kind
    ]
    with wired(server) as wire:
        assert [wire.asks(ordinary).status for _ in range(3)] == [200] * 3
    before = server.resident_bytes()
    with wired(server, room=4096) as greedy:
        assert sent(greedy.socket, text, MOST_SENT) < MOST_SENT
        assert server.resident_bytes() - before < MOST_GROWN
        # Nobody else is held up, and whoever begins to read is answered.
        assert asks(server, path) == 200
        with wired(server) as wire:
            assert wire.asks(ordinary).predictions == ["small"]
        assert [greedy.answer().status for _ in range(500)] == [200] * 500


def test_whoever_asks_for_much_and_reads_it_gets_all_of_it(server: Server, site: Site) -> None:
    token, count = site.tokens["user"], 600
    live = b"GET /api/v1/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    cookie = ("Cookie: a=1",)
    texts = [
        (question(token, 1.0 + at % 9, path=SIZE, lines=cookie if at % 3 == 2 else ()), 1 + at % 9)
        for at in range(count)
    ]
    with wired(server) as wire:
        wire.sends(b"".join(text + live for text, _ in texts))
        for _, size in texts:
            answer, alive = wire.answer(), wire.answer()
            assert (answer.status, alive.status) == (200, 200)
            assert round(float(str(answer.predictions[0]))) == size
