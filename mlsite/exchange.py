"""One request at a view, which runs in a thread of the crew, and its answer on the way back to the event loop."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from predictions.lane import Application, Environ

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Headers = Iterable[tuple[str, str]]


@dataclass(kw_only=True)
class Exchange:
    """A request and its answer.

    `then` is called on the loop at the end, with the exchange and with the answer's content, or its last part if it
    was sent in parts, or with what the application raised.
    """

    application: Application
    environ: Environ
    send: Send
    then: Callable[["Exchange", bytes | Exception], None]
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    is_begun: bool = False

    def run(self) -> Callable[[], object]:
        """Ask the application, in a thread of the crew; what is returned tells the loop of the end."""
        try:
            found: bytes | Exception = self._asked()
        except Exception as error:  # noqa: BLE001 (raised on the loop, which logs it and answers)
            found = error
        except BaseException as error:  # noqa: BLE001 (what would end a thread must not end the loop)
            found = RuntimeError(f"a view ended with {type(error).__name__}")
            found.__cause__ = error
        return lambda: self._tell(found)

    def _asked(self) -> bytes:
        answer = self.application(self.environ, self._start)
        is_whole = type(answer) is tuple or type(answer) is list or not getattr(answer, "streaming", True)
        try:
            # HTTP/1.0 knows no chunks.
            if is_whole or self.environ["SERVER_PROTOCOL"] == "HTTP/1.0":
                return b"".join(answer)
            for part in answer:
                asyncio.run_coroutine_threadsafe(self._send_part(part), self.loop).result()
            return b""
        finally:
            if close := getattr(answer, "close", None):
                close()

    def _start(self, status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        self.status, self.headers = status, headers

    async def _send_part(self, part: bytes) -> None:
        await self._begin(self.status, self.headers)
        await self.send({"type": "http.response.body", "body": part, "more_body": True})

    def _tell(self, found: bytes | Exception) -> None:
        # The loop is gone where a process ends before its last view does.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.then, self, found)

    async def send_whole(self, status: str, headers: Headers, content: bytes) -> None:
        """Send an answer, or the end of one that was begun."""
        await self._begin(status, headers, content)
        await self.send({"type": "http.response.body", "body": content, "more_body": False})

    async def _begin(self, status: str, headers: Headers, content: bytes = b"") -> None:
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
