"""The edge of a web process: HTTP/1.1 by uvicorn, with ordinary predictions answered before anything else is made.

A request that is wholly ordinary, for a model that answers at once, is answered where it is read, on the event loop;
all others go to Django by the bridge. Clients say the same head again and again, save for the length of the body: one
that was read and found ordinary is known by its bytes the next time.
"""

import asyncio
import time
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from mlsite.bridge import READING_S
from mlsite.connection import Connection, dated
from mlsite.environ import environ_of
from mlsite.gate import say_unread
from predictions import lane
from predictions.actions.predict_plain import answers_at_once
from predictions.adapters.limits import ENVIRON_KEY, Decision

# Longer bodies are another thread's: one after the other they would hold up everybody else.
SHORT_BYTES = 262_144
MAX_HEAD_BYTES = 65_536
MAX_KNOWN, MAX_KNOWN_BYTES = 2048, 4096
END = b"\r\n\r\n"
NO_REQUEST = (HTTPStatus.BAD_REQUEST, "bad_request", "This is no HTTP/1.1 request")
TOO_LONG = (
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "head_too_long",
    f"Address and headers may have {MAX_HEAD_BYTES} bytes",
)

# What is known of heads that were read, by their bytes; the oldest go first.
_known: dict[bytes, lane.Head] = {}
_seen: dict[bytes, None] = {}


class Edge(Connection):
    """One connection, whose ordinary predictions are answered where they are read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._has_lane = isinstance(getattr(self.app, "application", None), lane.Lane)
        # What came last, if a request begins with it, and what is known of the request that is being read.
        self._chunk = b""
        self._head: lane.Head | None = None
        self._parts: list[bytes] = []
        self._decision: Decision | None = None
        self._is_in_body = False
        self._begins = self._ends = self._is_head_too_long = self._is_tried = False
        self._head_bytes = 0
        self.url = b""
        self._patience: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Take what came: a whole ordinary request if it is one, else whatever it is."""
        self.silent = 0
        self._chunk = b""
        self._begins = self._is_tried = False
        if self._has_lane and self.is_free and not self.is_in_head and not self._is_in_body:
            end = data.find(END) + len(END)
            head = _known.get(data[:end])
            if head is not None and len(data) - end == head.length and not self.is_leaving:
                if self.timeout_keep_alive_task is not None:
                    self._unset_keepalive_if_required()
                if (said := self._at_once(head, data[end:])) is not None:
                    self.transport.write(said)
                    return
            self._chunk = data
        super().data_received(data)
        if self._head is not None and self._patience is None:
            self._patience = self.loop.call_later(READING_S, self._wait_no_longer)
        if self.is_in_head and not self._begins:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self._is_head_too_long = True
                self.send_400_response("")

    def _wait_no_longer(self) -> None:
        """Leave the rest of a body that is sent slowly to the bridge, which counts who does."""
        self._patience = None
        if self._head is not None:
            self._head, parts, self._parts = None, self._parts, []
            self._have_answered()
            super().on_body(b"".join(parts))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was begun."""
        self._head = None
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin to read a request."""
        super().on_message_begin()
        self.is_in_head, self._head_bytes = True, 0
        # Of what came with its beginning, much may belong to the requests before.
        self._begins = True

    def on_headers_complete(self) -> None:
        """Keep an ordinary head until its body is there; have others answered."""
        if self.parser.is_offer:
            return
        self.is_in_head, self._is_in_body, self.looks_in_head = False, True, 0
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            # The parser stops, and has it said as any fault of the protocol's.
            self._is_head_too_long = True
            raise ValueError("the head is too long")
        self._head = self._ordinary_head()
        if self._head is None:
            self._have_answered()

    def _ordinary_head(self) -> lane.Head | None:
        parser = self.parser
        may_be = (
            self._has_lane
            and self.url.endswith(b"/predict")
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not self.expect_100_continue
            and not self._is_tried
            and self.is_free
            and not self.is_leaving
        )
        if not may_be:
            return None
        self.scope |= {"method": "POST", "raw_path": self.url, "query_string": b""}
        head = lane.head_of(environ_of(self.scope))
        return head if head is not None and head.length <= SHORT_BYTES else None

    def _have_answered(self) -> None:
        """Have the bridge answer a request; what was counted for it already is not counted again."""
        if self._decision is not None:
            self.scope[ENVIRON_KEY] = self._decision  # type: ignore[literal-required]  # ours, for the bridge
            self._decision = None
        super().on_headers_complete()
        if self.is_leaving or self._ends:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, or too much of one, in the dialect of its address; uvicorn's text says no more."""
        if not self.is_free and not self.cycle.more_body:
            # It would be taken for the answer to a request before; that one is the last.
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if self.pipeline or (self.cycle is not None and self.cycle.response_started and not self.is_free):
            self.transport.close()
            return
        path = self.url.partition(b"?")[0].decode("latin-1")
        self.transport.write(say_unread(path, *(TOO_LONG if self._is_head_too_long else NO_REQUEST)))
        self.transport.close()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if self._head is None:
            super().on_body(body)
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """Answer an ordinary request, or leave it to the bridge after all."""
        if self.parser.is_offer:
            return
        self._is_in_body = False
        head, self._head = self._head, None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if head is None:
            super().on_message_complete()
            return
        parts, self._parts = self._parts, []
        body = b"".join(parts)
        if (said := self._at_once(head, body)) is not None:
            self._learn(head)
            self.transport.write(said)
            if self._ends:
                self.transport.close()
            return
        self._have_answered()
        super().on_body(body)
        super().on_message_complete()

    def _learn(self, head: lane.Head) -> None:
        """Know a head again that came in one piece with its body, and says nothing of this request alone."""
        key = self._chunk[: self._chunk.find(END) + len(END)]
        is_all = len(self._chunk) == len(key) + head.length
        if is_all and len(key) <= MAX_KNOWN_BYTES and key.startswith(b"POST "):
            # What says something of one request alone is not seen twice.
            _keep(_known, key, head) if key in _seen else _keep(_seen, key, None)

    def _at_once(self, head: lane.Head, body: bytes) -> bytes | None:
        """Return the answer to an ordinary request, or None if it needs more than a moment or has a fault."""
        started = time.perf_counter()
        if not lane.is_loaded(head.form) or not answers_at_once(head.model):
            return None
        if not lane.is_counted_at_once() or (principal := lane.caller_of(head)) is None:
            return None
        self._is_tried = True
        decision = self._decision = lane.count(principal)
        if decision is not None and not decision.allowed:
            return None
        said = lane.answer(head, principal, decision, body, plain_only=True)
        if said is None:
            return None
        self._decision, self._is_tried = None, False
        lane.note(head, said, started)
        own = "".join([f"{name.lower()}: {value}\r\n" for name, value in lane.said_headers(said)]).encode()
        begun = STATUS_LINE[200], dated(tuple(self.server_state.default_headers)), _encoded(head.headers)
        return b"".join((*begun, own, b"\r\n", said.content))

    def shutdown(self) -> None:
        """End the connection, after the request that is being read."""
        self._ends = self._head is not None
        if not self._ends:
            super().shutdown()


def _keep(kept: dict[bytes, Any], key: bytes, value: Any) -> None:
    while len(kept) >= MAX_KNOWN:
        del kept[next(iter(kept))]
    kept[key] = value


@lru_cache(maxsize=64)
def _encoded(headers: tuple[tuple[str, str], ...]) -> bytes:
    return "".join(f"{name.lower()}: {value}\r\n" for name, value in headers).encode("latin-1")
