"""From the event loop of a web process to Django and back: bodies are read on the loop, views run in the crew."""

import asyncio
import contextlib
import io
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from features.ground.quick_settings import setting
from mlsite.gate import is_always_let_in, say, too_many, too_slow, work_of
from mlsite.together import Gatherer
from predictions import tokens
from predictions.adapters.crew import Work, crew
from predictions.adapters.limits import ENVIRON_KEY
from predictions.errors import OverloadedError
from predictions.lane import Application, Environ, Lane, said_headers

# Bodies up to this size are read before a thread is asked for; longer ones are read by the view itself, if it wants to.
SHORT_BYTES = 1_048_576
# A body that is not there by then is sent slowly.
READING_S = 0.02
Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class GoneError(ConnectionError):
    """The client has gone away."""


class Bridge:
    """Ask a WSGI application from the event loop; too much at once is refused."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._gatherer = Gatherer() if isinstance(application, Lane) else None
        self._slow = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        environ = environ_of(scope)
        exchange = _Exchange(application=self.application, environ=environ, send=send)
        with contextlib.suppress(GoneError):
            try:
                environ["wsgi.input"] = body = await self._body(environ, receive)
                if self._gatherer is not None and isinstance(body, io.BytesIO):
                    found = await self._gatherer.answer(environ, body.getvalue())
                    if found is not None:
                        head, said = found
                        await exchange.send_whole("200 OK", [*head.headers, *said_headers(said)], said.content)
                        return
                path = environ["PATH_INFO"]
                work = work_of(path)
                if not crew.submit(work, exchange.run, always=is_always_let_in(path)):
                    raise too_many(work)
            except OverloadedError as error:
                await exchange.send_whole(*say(error, environ))
            else:
                await exchange.finish()

    async def _body(self, environ: Environ, receive: Receive) -> Any:
        """Return a file to read the body from; a short one is there as a whole."""
        is_chunked = "HTTP_TRANSFER_ENCODING" in environ
        length = environ.get("CONTENT_LENGTH", "")
        if not is_chunked and length in ("", "0"):
            return io.BytesIO()
        if is_chunked or not length.isdigit() or len(length) > len(str(SHORT_BYTES)) or int(length) > SHORT_BYTES:
            return io.BufferedReader(_Sent(receive, b""), SHORT_BYTES)
        parts = list[bytes]()
        if await _read(receive, parts, READING_S):
            return io.BytesIO(b"".join(parts))
        if _is_stranger(environ):
            # The view says so before it reads anything: whoever may not ask takes nobody's place.
            return io.BufferedReader(_Sent(receive, b"".join(parts)))
        if self._slow >= setting("CONFIG").server.max_slow_senders:
            raise too_slow(self._slow)
        self._slow += 1
        try:
            await _read(receive, parts, None)
        finally:
            self._slow -= 1
        return io.BytesIO(b"".join(parts))


def _is_stranger(environ: Environ) -> bool:
    """Tell whether a prediction is asked for without a token that was verified a short while ago."""
    if work_of(environ["PATH_INFO"]) is not Work.PREDICT or not setting("CONFIG").enable_auth:
        return False
    token = tokens.bearer(environ.get("HTTP_AUTHORIZATION", ""))
    return token is None or tokens.verified.get(token) is None


async def _read(receive: Receive, parts: list[bytes], seconds: float | None) -> bool:
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

    def __init__(self, receive: Receive, begun: bytes) -> None:
        super().__init__()
        self._receive, self._loop = receive, asyncio.get_running_loop()
        self._left, self._has_more = memoryview(begun), True

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, or wait for something; 0 at the end.

        Raises
        ------
        GoneError
            If the client goes away before: a part must not be taken for the whole.
        """
        while not self._left and self._has_more:
            # Who sends decides how long that takes.
            crew.step_aside()
            message = asyncio.run_coroutine_threadsafe(_once(self._receive), self._loop).result()
            if message["type"] == "http.disconnect":
                raise GoneError
            self._left, self._has_more = memoryview(message["body"]), message["more_body"]
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


async def _once(receive: Receive) -> Any:
    return await receive()


@dataclass(kw_only=True)
class _Exchange:
    """One request at a view, and its answer on the way back."""

    application: Application
    environ: Environ
    send: Send
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    started: list[Any] = field(default_factory=list)
    is_begun: bool = False

    def __post_init__(self) -> None:
        self.ended = self.loop.create_future()

    def run(self) -> Callable[[], object]:
        """Ask the application, in a thread of the crew; what is returned tells the loop of the end."""
        try:
            found: Any = self._asked()
        except BaseException as error:  # noqa: BLE001 (raised again on the loop)
            found = error
        return lambda: self._tell(found)

    def _asked(self) -> bytes:
        """Return the answer's content, or its last part if it was sent in parts."""
        answer = self.application(self.environ, self._start)
        is_whole = type(answer) is tuple or type(answer) is list or not getattr(answer, "streaming", True)
        try:
            # HTTP/1.0 knows no chunks.
            if is_whole or self.environ["SERVER_PROTOCOL"] == "HTTP/1.0":
                return b"".join(answer)
            for part in answer:
                self._send_part(part)
            return b""
        finally:
            if close := getattr(answer, "close", None):
                close()

    def _start(self, status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        self.started[:] = status, headers

    def _send_part(self, part: bytes) -> None:
        asyncio.run_coroutine_threadsafe(self._begin_and_send(part), self.loop).result()

    async def _begin_and_send(self, part: bytes) -> None:
        await self._begin(*self.started)
        await self.send({"type": "http.response.body", "body": part, "more_body": True})

    def _tell(self, found: Any) -> None:
        # The loop is gone where a process ends before its last view does.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._end, found)

    def _end(self, found: Any) -> None:
        if self.ended.done():
            return
        if isinstance(found, BaseException):
            self.ended.set_exception(found)
        else:
            self.ended.set_result(found)

    async def finish(self) -> None:
        """Wait for the view, and send what is left of its answer."""
        content = await self.ended
        status, headers = self.started
        await self.send_whole(status, headers, content)

    async def send_whole(self, status: str, headers: Iterable[tuple[str, str]], content: bytes) -> None:
        """Send an answer, or the end of one that was begun."""
        await self._begin(status, headers, content)
        await self.send({"type": "http.response.body", "body": content, "more_body": False})

    async def _begin(self, status: str, headers: Iterable[tuple[str, str]], content: bytes = b"") -> None:
        """Send the head of an answer, once; its length is told where all of it is there."""
        if self.is_begun:
            return
        self.is_begun = True
        encoded = [(_lower(name), value.encode("latin-1")) for name, value in headers]
        if content and all(name != b"content-length" for name, _ in encoded):
            encoded.append((b"content-length", str(len(content)).encode()))
        await self.send({"type": "http.response.start", "status": int(status[:3]), "headers": encoded})


@lru_cache(maxsize=512)
def _lower(name: str) -> bytes:
    return name.lower().encode("latin-1")


def environ_of(scope: Scope) -> Environ:
    """Return a request's WSGI environment, its body left out."""
    host, port = scope["server"] or ("", None)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if key := _key(name):
            text = value.decode("latin-1")
            if key in environ:
                text = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
            environ[key] = text
    if ENVIRON_KEY in scope:
        environ[ENVIRON_KEY] = scope[ENVIRON_KEY]
    return environ


@lru_cache(maxsize=512)
def _key(name: bytes) -> str:
    """Return what WSGI calls a header; nothing for one that would be taken for another."""
    if b"_" in name:
        return ""
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
