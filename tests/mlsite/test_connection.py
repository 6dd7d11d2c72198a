"""Connections that go wrong: clients who don't read, never end or offer other protocols, and views that fail."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop
from uvicorn.server import ServerState

from mlsite.connection import MAX_IN_HEAD, MAX_SILENT, Connection
from mlsite.edge import Edge
from mlsite.worker import WorkerOptions, config_of
from tests.mlsite.test_supervisor import wait_for

GET = b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = 300_000


class Loop:
    """An event loop in a thread that serves an application."""

    def __init__(self, application: Any) -> None:
        self.loop, self.state = uvloop.new_event_loop(), ServerState()
        self.config = config_of(application, WorkerOptions(target="", backlog=10, grace_s=1))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(60)

    def _connection(self) -> Edge:
        return Edge(config=self.config, server_state=self.state, app_state={}, _loop=self.loop)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(self.loop.create_server(self._connection, sock=self.listener))
        self._ready.set()
        self.loop.run_forever()
        server.close()
        self.loop.run_until_complete(server.wait_closed())
        self.loop.close()

    @property
    def connections(self) -> list[Any]:
        return list(self.state.connections)

    def look(self, times: int) -> None:
        """Look at every connection so often."""

        def now(done: threading.Event) -> None:
            for connection in self.connections:
                assert isinstance(connection, Connection)
                connection.look()
            done.set()

        for _ in range(times):
            done = threading.Event()
            self.loop.call_soon_threadsafe(now, done)
            assert done.wait(60)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()


@contextmanager
def served(application: Callable[..., Any]) -> Iterator[tuple[Loop, socket.socket]]:
    """Serve an application, and give a connection to it."""
    loop = Loop(application)
    try:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(60)
            client.connect(loop.listener.getsockname())
            yield loop, client
    finally:
        loop.stop()


def read(client: socket.socket, until: int | None = None) -> bytes:
    """Read so many bytes, or to the end."""
    found = bytearray()
    while until is None or len(found) < until:
        try:
            part = client.recv(65_536)
        except ConnectionResetError:
            break
        if not part:
            break
        found += part
    return bytes(found)


def large(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", str(LARGE))])
    return [environ["PATH_INFO"].encode().ljust(LARGE)]


def test_answers_that_are_not_taken_are_not_made() -> None:
    count = 60
    with served(large) as (loop, client):
        client.sendall(b"".join(GET % str(number).encode() for number in range(count)))
        wait_for(lambda: loop.connections and loop.connections[0].flow.write_paused)
        loop.look(3)
        assert sum(each.transport.get_write_buffer_size() for each in loop.connections) < 4 * LARGE
        found = read(client, count * LARGE)
        while found.count(b"HTTP/1.1 200") < count or len(found) < count * LARGE:
            found += read(client, 1)
        paths = [part.split(b"\r\n\r\n", 1)[1].split()[0] for part in found.split(b"HTTP/1.1 200")[1:]]
        assert paths == [f"/{number}".encode() for number in range(count)]


def test_who_never_takes_an_answer_is_given_up() -> None:
    def endless(_: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", str(40 * LARGE))])
        return [b"x" * (40 * LARGE)]

    with served(endless) as (loop, client):
        client.sendall(GET % b"")
        wait_for(lambda: loop.connections and loop.connections[0].transport.get_write_buffer_size())
        loop.look(MAX_SILENT + 3)
        wait_for(lambda: not loop.connections)


def test_what_comes_after_a_body_is_no_header_and_has_an_end() -> None:
    seen = list[Any]()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(environ.get("HTTP_AUTHORIZATION"))
        start_response("411 Length Required", [("Content-Length", "0")])
        return []

    with served(application) as (loop, client):
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        assert read(client, 12).startswith(b"HTTP/1.1 411")
        client.sendall(b"authorization: me\r\na: b\r\n" * 1000)
        wait_for(lambda: loop.connections)
        loop.look(1)
        assert len(loop.connections[0].headers) == 2
        loop.look(MAX_IN_HEAD + 2)
        wait_for(lambda: not loop.connections)
    assert seen == [None]


def test_many_offers_of_other_protocols_are_declined_one_by_one() -> None:
    count = 1500

    def application(_: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with served(application) as (_, client):
        offer = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        sender = threading.Thread(target=client.sendall, args=(offer * count + GET % b"last",))
        sender.start()
        found = b""
        while found.count(b"\r\n\r\nok") < count + 1:
            found += read(client, 1)
        sender.join()


def fails(environ: Any, start_response: Any) -> Any:
    kind = environ["PATH_INFO"].strip("/")
    if kind == "raises":
        raise ZeroDivisionError
    if kind == "exits":
        raise SystemExit(3)
    if kind == "header":
        start_response("200 OK", [("X-Two", "one\r\nX-Lines: 2")])
        return [b""]

    class Short:
        streaming = True

        def __iter__(self) -> Iterator[bytes]:
            yield b"short"

    start_response("200 OK", [("Content-Length", "9")])
    return Short()


@pytest.mark.parametrize(("kind", "begins"), [("raises", 500), ("exits", 500), ("header", 500), ("short", 200)])
def test_a_view_that_fails_leaves_nobody_waiting(kind: str, begins: int) -> None:
    with served(fails) as (loop, client):
        client.sendall(GET % kind.encode())
        said = read(client)
        # Others are answered.
        with socket.create_connection(loop.listener.getsockname(), timeout=60) as other:
            other.sendall(GET % b"raises")
            assert b'"code": "internal_error"' in read(other)
    assert said.startswith(f"HTTP/1.1 {begins}".encode())
    assert b"X-Lines: 2" not in said


def test_no_refusal_is_taken_for_the_answer_to_a_request_before() -> None:
    begun, ends = threading.Event(), threading.Event()

    def slow(_: Any, start_response: Any) -> list[bytes]:
        begun.set()
        assert ends.wait(60)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"slow"]

    with served(slow) as (loop, client):
        client.sendall(GET % b"slow")
        assert begun.wait(60)
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n")
        wait_for(lambda: not loop.connections or loop.connections[0].transport.is_closing())
        ends.set()
        assert b" 400 " not in read(client)
