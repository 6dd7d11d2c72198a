"""A connection of a web process: HTTP/1.1 by uvicorn, its requests answered by views in threads."""

import asyncio
import logging
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from mlsite.bridge import Bridge, GoneError
from mlsite.environ import environ_of
from mlsite.exchange import Exchange, Headers
from mlsite.gate import route_of, say, say_failed
from mlsite.request_parser import RequestParser
from predictions.errors import OverloadedError

logger = logging.getLogger(__name__)
# Answers that have no body.
BODILESS = frozenset((204, 304))
# How often connections are looked at, and how many looks one may be silent for, or take to send a head.
LOOK_S = 5.0
MAX_SILENT, MAX_IN_HEAD = 15, 6


class _Flow(FlowControl):
    """Whether a connection is read: not while requests wait behind another one, nor while answers are not taken."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        """Read on, if nothing waits."""
        if not self._waiting and not self.write_paused:
            super().resume_reading()


class Connection(HttpToolsProtocol):
    """One connection; a request that is there as a whole costs the loop no task."""

    parser: RequestParser

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser = RequestParser(self)
        self.is_in_head = False
        self.silent = self.looks_in_head = 0
        # How often it was looked at while a body went on that nobody reads, or while an answer was not taken.
        self._unread = self._untaken = 0
        self._unsent, self._took_some = 0, False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin."""
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)

    @property
    def is_free(self) -> bool:
        """Tell whether the requests before are answered."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def is_leaving(self) -> bool:
        """Tell whether callers are asked to connect again, for a successor to answer."""
        return getattr(self.server_state, "is_leaving", False)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Have a request answered, once it is read as far as it came with its head."""
        self.loop.call_soon(self._answer, cycle, app)

    def _answer(self, cycle: RequestResponseCycle, bridge: Bridge) -> None:
        """Have a view answer a request that is there as a whole; others are waited for by a task of their own."""
        if cycle.disconnected:
            return
        with self._closing_on_fault(cycle):
            environ = environ_of(cycle.scope)
            # While answers are not taken, a task waits to send the next.
            if cycle.more_body or self.flow.write_paused or not bridge.takes_at_once(environ):
                super()._start_asgi_task(cycle, bridge)
                return
            try:
                bridge.ask(environ, bytes(cycle.body), cycle.send, partial(self._hand_out, cycle))
            except OverloadedError as error:
                self._write(cycle, *say(error, environ))

    def _hand_out(self, cycle: RequestResponseCycle, exchange: Exchange, found: bytes | Exception) -> None:
        """Send what a view has answered, or the end of it."""
        with self._closing_on_fault(cycle):
            if isinstance(found, Exception):
                raise found
            if not exchange.is_begun:
                self._write(cycle, exchange.status, exchange.headers, found)
                return
            task = self.loop.create_task(self._end(cycle, exchange, found))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _end(self, cycle: RequestResponseCycle, exchange: Exchange, last: bytes) -> None:
        with self._closing_on_fault(cycle):
            await exchange.send_whole("", (), last)

    @contextmanager
    def _closing_on_fault(self, cycle: RequestResponseCycle) -> Iterator[None]:
        """Leave no client without an answer, or at least the end of its connection."""
        try:
            yield
        except GoneError:
            self.transport.close()
        except Exception:  # whatever it is, it is logged, and the client is told
            method, path = cycle.scope["method"], cycle.scope["path"]
            logger.exception("%s %s ended without an answer", method, route_of(path))
            cycle.keep_alive = False
            self._write(cycle, *say_failed(method, path))
            self.transport.close()

    def _write(self, cycle: RequestResponseCycle, status: str, headers: Headers, content: bytes) -> None:
        """Write a whole answer, as the cycle does in parts."""
        if cycle.disconnected or cycle.response_started or self.transport.is_closing():
            return
        code, is_head = int(status[:3]), cycle.scope["method"] == "HEAD"
        lines = [f"{name.lower()}: {value}\r\n" for name, value in headers]
        if code not in BODILESS and not (is_head and not content) and not any(map(_is_length, lines)):
            lines.append(f"content-length: {len(content)}\r\n")
        if not cycle.keep_alive:
            lines.append("connection: close\r\n")
        head = "".join(lines)
        if head.count("\n") + head.count("\r") != 2 * len(lines):
            raise ValueError("a header holds the end of a line")
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        body = b"" if is_head or code in BODILESS else content
        begun = STATUS_LINE[code] + dated(tuple(self.server_state.default_headers))
        self.transport.write(b"".join((begun, head.encode("latin-1"), b"\r\n", body)))
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response = _nothing
        self.on_response_complete()

    def pause_writing(self) -> None:
        """Read nothing more from a client who does not take its answers."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        """Read on."""
        self._took_some = True
        super().resume_writing()
        self.flow.resume_reading()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes after a body is none."""
        if self.is_in_head:
            super().on_header(name, value)

    def look(self) -> None:
        """End a connection that is silent for too long, takes too long over a head, or does not take its answer."""
        self.silent += 1
        self.looks_in_head += self.is_in_head
        unsent = self.transport.get_write_buffer_size()
        is_stuck = unsent > 0 and unsent >= self._unsent and not self._took_some
        self._untaken = self._untaken + 1 if is_stuck else 0
        self._unsent, self._took_some = unsent, False
        if self._untaken > MAX_SILENT:
            # A close would wait for what is not taken.
            self.transport.abort()
            return
        is_unread = self.cycle is not None and self.cycle.response_complete and self.cycle.more_body
        self._unread = self._unread + 1 if is_unread else 0
        # One whose body is not asked for, because its view is busy, is not silent.
        is_held = self.flow.read_paused and not self.flow.write_paused
        is_silent = self.silent > MAX_SILENT and (self.is_free or self.cycle.more_body) and not is_held
        if is_silent or self.looks_in_head > MAX_IN_HEAD or self._unread > MAX_IN_HEAD:
            self.transport.close()


def _nothing() -> None:
    """Do what is left to do when an answer is sent that was sent as a whole."""


def _is_length(line: str) -> bool:
    return line.startswith("content-length:")


@lru_cache(maxsize=2)
def dated(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Return the headers every answer has."""
    return b"".join(b"%s: %s\r\n" % pair for pair in headers)
