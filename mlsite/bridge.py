"""From the event loop of a web process to Django and back: bodies are read on the loop, views run in the crew."""

import asyncio
import contextlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from features.ground.quick_settings import setting
from mlsite.environ import Scope, environ_of
from mlsite.exchange import Exchange, Receive, Send
from mlsite.gate import is_always_let_in, say, say_late, too_many, too_slow, work_of
from mlsite.together import Gatherer
from predictions import tokens
from predictions.adapters.crew import Work, crew
from predictions.errors import OverloadedError
from predictions.lane import Application, Environ, Lane, said_headers

# Bodies up to this size are read before a thread is asked for; longer ones are read by the view itself, if it wants to.
SHORT_BYTES = 1_048_576
# A body that is not there by then is sent slowly.
READING_S = 0.02
# So long a short body is waited for.
SLOWEST_S = 120.0
# For a long one the time is longer by a second for so many bytes that came.
SLOWEST_BYTES = 16_384
Then = Callable[[Exchange, bytes | Exception], None]


class GoneError(ConnectionError):
    """The client has gone away."""


class Bridge:
    """Ask a WSGI application from the event loop; too much at once is refused."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._gatherer = Gatherer() if isinstance(application, Lane) else None
        # Those on the loop and those in the threads of the crew.
        self._slow, self._lock = 0, threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whose body may be long in coming, or which waits for others."""
        environ, loop = environ_of(scope), asyncio.get_running_loop()
        ended: asyncio.Future[bytes] = loop.create_future()
        exchange = self._exchange(environ, send, lambda _, found: _settle(ended, found))
        with contextlib.suppress(GoneError):
            try:
                environ["wsgi.input"] = body = await self._body(environ, receive)
                if self._gatherer is not None and isinstance(body, io.BytesIO):
                    found = await self._gatherer.answer(environ, body.getvalue())
                    if found is not None:
                        head, said = found
                        await exchange.send_whole("200 OK", [*head.headers, *said_headers(said)], said.content)
                        return
                _submit(exchange)
            except OverloadedError as error:
                await exchange.send_whole(*say(error, environ))
            except TimeoutError:
                await exchange.send_whole(*say_late(environ, SLOWEST_S))
            else:
                content = await ended
                await exchange.send_whole(exchange.status, exchange.headers, content)

    def takes_at_once(self, environ: Environ) -> bool:
        """Tell whether a request whose body is there waits for nothing but a thread."""
        return "HTTP_TRANSFER_ENCODING" not in environ and (self._gatherer is None or not self._gatherer.takes(environ))

    def ask(self, environ: Environ, body: bytes, send: Send, then: Then) -> None:
        """Have a view answer a request that is there as a whole; `then` is called with the answer.

        Raises
        ------
        OverloadedError
            If too much is in progress.
        """
        environ["wsgi.input"] = io.BytesIO(body)
        _submit(self._exchange(environ, send, then))

    def _exchange(self, environ: Environ, send: Send, then: Then) -> Exchange:
        return Exchange(application=self.application, environ=environ, send=send, then=then)

    async def _body(self, environ: Environ, receive: Receive) -> Any:
        """Return a file to read the body from; a short one is there as a whole."""
        is_chunked = "HTTP_TRANSFER_ENCODING" in environ
        length = environ.get("CONTENT_LENGTH", "")
        if not is_chunked and length in ("", "0"):
            return io.BytesIO()
        if is_chunked or not length.isdigit() or len(length) > len(str(SHORT_BYTES)) or int(length) > SHORT_BYTES:
            return io.BufferedReader(_Sent(self, receive, b""), SHORT_BYTES)
        parts = list[bytes]()
        if await _read(receive, parts, READING_S):
            return io.BytesIO(b"".join(parts))
        if _is_stranger(environ):
            # The view says so before it reads anything: whoever may not ask takes nobody's place.
            return io.BufferedReader(_Sent(self, receive, b"".join(parts)))
        with self.waiting():
            if not await _read(receive, parts, SLOWEST_S):
                raise TimeoutError
        return io.BytesIO(b"".join(parts))

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for somebody who sends slowly, if there are not too many already.

        Raises
        ------
        OverloadedError
            If there are.
        """
        with self._lock:
            if self._slow >= setting("CONFIG").server.max_slow_senders:
                raise too_slow(self._slow)
            self._slow += 1
        try:
            yield
        finally:
            with self._lock:
                self._slow -= 1


def _submit(exchange: Exchange) -> None:
    path = exchange.environ["PATH_INFO"]
    work = work_of(path)
    if not crew.submit(work, exchange.run, always=is_always_let_in(path)):
        raise too_many(work)


def _settle(ended: "asyncio.Future[bytes]", found: bytes | Exception) -> None:
    if ended.done():
        return
    if isinstance(found, Exception):
        ended.set_exception(found)
    else:
        ended.set_result(found)


def _is_stranger(environ: Environ) -> bool:
    """Tell whether a prediction is asked for without a token that was verified a short while ago."""
    if work_of(environ["PATH_INFO"]) is not Work.PREDICT or not setting("CONFIG").enable_auth:
        return False
    token = tokens.bearer(environ.get("HTTP_AUTHORIZATION", ""))
    return token is None or tokens.verified.get(token) is None


async def _read(receive: Receive, parts: list[bytes], seconds: float) -> bool:
    """Read a body to its end; False if it did not come in time, what came being in `parts`."""
    message = {"more_body": True}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while message["more_body"]:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise GoneError
                parts.append(message["body"])
    return not message["more_body"]


class _Sent(io.RawIOBase):
    """A body that a view reads in its thread while it is being sent; of which `begun` is there."""

    def __init__(self, bridge: Bridge, receive: Receive, begun: bytes) -> None:
        super().__init__()
        self._bridge, self._receive, self._loop = bridge, receive, asyncio.get_running_loop()
        self._left, self._has_more = memoryview(begun), True
        self._patience_s = SLOWEST_S

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, or wait for something; 0 at the end.

        Raises
        ------
        GoneError
            If the client goes away before, or takes too long: a part must not be taken for the whole.
        OverloadedError
            If too many send slowly.
        """
        while not self._left and self._has_more:
            message = self._next()
            if message["type"] == "http.disconnect":
                raise GoneError
            self._left, self._has_more = memoryview(message["body"]), message["more_body"]
            self._patience_s += len(self._left) / SLOWEST_BYTES
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def _next(self) -> Any:
        """Return what is sent next; in time that is nobody's but the sender's."""
        coming = asyncio.run_coroutine_threadsafe(_once(self._receive), self._loop)
        with contextlib.suppress(TimeoutError):
            return coming.result(READING_S)
        began = time.monotonic()
        try:
            with crew.waiting_for_sender(), self._bridge.waiting():
                return coming.result(max(0.0, self._patience_s))
        except TimeoutError as error:
            raise GoneError from error
        finally:
            coming.cancel()
            self._patience_s -= time.monotonic() - began


async def _once(receive: Receive) -> Any:
    return await receive()
