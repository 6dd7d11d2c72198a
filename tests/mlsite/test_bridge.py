"""How requests come from the event loop to a view, and its answers back."""

import asyncio
import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from mlsite.bridge import SHORT_BYTES, Bridge
from predictions.adapters.crew import Work, crew
from tests.mlsite.test_supervisor import wait_for
from tests.predictions.asgi import Client, asked

WAIT_S = 60


def is_free() -> bool:
    return [crew.in_progress(work) for work in Work] == [0, 0]


def echo(environ: Any, start_response: Any) -> tuple[bytes]:
    """Answer with the body."""
    content = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(content)))])
    return (content,)


@pytest.mark.parametrize("about", [{"length": SHORT_BYTES + 500_000}, {"transfer_encoding": "chunked"}])
def test_a_long_body_is_read_by_the_view(about: dict[str, Any]) -> None:
    begun = threading.Event()
    parts = [bytes([65 + number]) * (SHORT_BYTES // 2) for number in range(3)]
    parts[-1] = parts[-1][: 500_000 - SHORT_BYTES // 2]

    def application(environ: Any, start_response: Any) -> Any:
        begun.set()
        return echo(environ, start_response)

    async def ask() -> Client:
        client = Client("/api/v1/data", **about)
        asking = client.asks(Bridge(application))
        # It is asked before anything of the body is there.
        assert await asyncio.to_thread(begun.wait, WAIT_S)
        for part in parts[:-1]:
            client.sends(part, more=True)
        client.sends(parts[-1])
        await asking
        return client

    assert asyncio.run(ask()).content == b"".join(parts)


def test_of_a_client_who_goes_away_no_part_is_taken_for_the_whole() -> None:
    read, raised = list[bytes](), list[str]()

    def application(environ: Any, start_response: Any) -> Any:
        try:
            read.append(environ["wsgi.input"].read())
        except OSError as error:
            raised.append(type(error).__name__)
            raise
        return echo(environ, start_response)

    async def ask() -> Client:
        client = Client("/api/v1/data", transfer_encoding="chunked").sends(b"part", more=True)
        client.leaves()
        return await client.is_asked(Bridge(application))

    assert asyncio.run(ask()).messages == []
    assert (read, raised) == ([], ["GoneError"])
    wait_for(is_free)


@pytest.mark.parametrize("leaves", [True, False])
def test_a_long_body_that_is_sent_slowly_holds_no_place_and_has_an_end(
    leaves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised = list[str]()

    def application(environ: Any, start_response: Any) -> Any:
        try:
            return echo(environ, start_response)
        except OSError as error:
            raised.append(type(error).__name__)
            raise

    async def ask(bridge: Bridge) -> None:
        client = Client("/api/v1/data", transfer_encoding="chunked").sends(b"part", more=True)
        asking = client.asks(bridge)
        if leaves:
            # Its view waits, and counts as slow instead of in progress.
            await asyncio.to_thread(wait_for, lambda: bridge._slow == 1 and is_free())
            client.leaves()
        await asking
        assert client.messages == []

    monkeypatch.setattr("mlsite.bridge.SLOWEST_S", 2 * WAIT_S if leaves else 0.1)
    bridge = Bridge(application)
    asyncio.run(ask(bridge))
    assert (raised, bridge._slow) == (["GoneError"], 0)
    wait_for(is_free)


class Parts:
    """An answer that is made while it is sent."""

    streaming = True

    def __init__(self, *parts: bytes, error: Exception | None = None) -> None:
        self.parts, self.error = parts, error
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self.parts
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.is_closed = True


def streaming(answer: Any) -> Bridge:
    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("X-Two", "1"), ("X-Two", "2")])
        return answer

    return Bridge(application)


def test_a_streamed_answer_is_sent_in_its_parts() -> None:
    answer = Parts(b"one", b"two", b"")
    client = asked(streaming(answer), "/api/v1/data")
    assert client.parts == [b"one", b"two", b"", b""]
    assert [message.get("more_body") for message in client.messages] == [None, True, True, True, False]
    assert client.messages[0]["headers"] == [(b"x-two", b"1"), (b"x-two", b"2")]
    assert answer.is_closed


@pytest.mark.parametrize("answer", [[b"one", b"two"], (b"onetwo",)])
def test_an_answer_that_is_there_is_sent_at_once(answer: Any) -> None:
    assert asked(streaming(answer), "/api/v1/data").parts == [b"onetwo"]


def test_what_a_view_raises_is_the_servers_to_tell_and_counts_no_longer() -> None:
    def fails(environ: Any, start_response: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asked(Bridge(fails), "/api/v1/predict")
    answer = Parts(b"one", error=ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        asked(streaming(answer), "/api/v1/predict")
    assert answer.is_closed
    assert is_free()


def test_headers_come_to_the_view_as_one_value_each_and_none_in_the_place_of_another() -> None:
    seen = dict[str, Any]()

    def application(environ: Any, start_response: Any) -> Any:
        seen.update(environ)
        return echo({"wsgi.input": io.BytesIO()}, start_response)

    async def ask() -> None:
        client = Client("/a%20b%c3%bc", method="GET")
        pairs = [("cookie", "a=1"), ("cookie", "b=2"), ("accept", "x"), ("accept", "y"), ("content-length", "0")]
        pairs += [("x_forwarded_proto", "https"), ("content_length", "9"), ("x-real", "\xe4")]
        client.scope["headers"] += [(name.encode(), value.encode("latin-1")) for name, value in pairs]
        await client.is_asked(Bridge(application))

    asyncio.run(ask())
    assert (seen["HTTP_COOKIE"], seen["HTTP_ACCEPT"], seen["HTTP_X_REAL"]) == ("a=1; b=2", "x,y", "\xe4")
    assert (seen["CONTENT_LENGTH"], seen["CONTENT_TYPE"]) == ("0", "application/json")
    assert "HTTP_X_FORWARDED_PROTO" not in seen
    assert seen["PATH_INFO"] == b"/a b\xc3\xbc".decode("latin-1")


def test_http_1_0_knows_no_chunks() -> None:
    async def ask() -> Client:
        client = Client("/api/v1/data", method="GET")
        client.scope["http_version"] = "1.0"
        return await client.is_asked(streaming(Parts(b"one", b"two")))

    client = asyncio.run(ask())
    assert client.parts == [b"onetwo"]
    assert client.headers["content-length"] == "6"
