"""A client of an ASGI application, on the loop of the test."""

import asyncio
from typing import Any


class Client:
    """One request that is sent part by part, and what was said to it."""

    def __init__(self, path: str, *, method: str = "POST", length: int | None = None, **headers: str) -> None:
        sent = {"host": "localhost", "content-type": "application/json", "x-request-id": "same-id"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if length is not None:
            sent["content-length"] = str(length)
        self.scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 4711),
        }
        self.messages = list[Any]()
        # The server has waited for more and given up once, and waits again.
        self.is_slow = asyncio.Event()
        self._sent: asyncio.Queue[Any] = asyncio.Queue()
        self._gave_up = False

    def sends(self, part: bytes, *, more: bool = False) -> "Client":
        """Send a part of the body."""
        self._sent.put_nowait({"type": "http.request", "body": part, "more_body": more})
        return self

    def leaves(self) -> None:
        """Go away."""
        self._sent.put_nowait({"type": "http.disconnect"})

    async def receive(self) -> Any:
        """Return what was sent next, as a server does."""
        if self._gave_up:
            self.is_slow.set()
        try:
            return await self._sent.get()
        except asyncio.CancelledError:
            self._gave_up = True
            raise

    async def send(self, message: Any) -> None:
        """Take a message of the answer."""
        self.messages.append(message)

    def asks(self, application: Any) -> "asyncio.Task[None]":
        """Begin to ask; the task ends with the answer."""
        return asyncio.create_task(application(self.scope, self.receive, self.send))

    async def is_asked(self, application: Any) -> "Client":
        """Ask, and return when there is an answer."""
        await self.asks(application)
        return self

    @property
    def status(self) -> int:
        """Return the status of the answer."""
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        """Return its headers."""
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def parts(self) -> list[bytes]:
        """Return its body as it was sent."""
        return [message["body"] for message in self.messages[1:]]

    @property
    def content(self) -> bytes:
        """Return its body."""
        return b"".join(self.parts)


def asked(application: Any, path: str, body: bytes = b"{}", **more: Any) -> Client:
    """Ask once, with the whole body there, and return the client with its answer."""

    async def ask() -> Client:
        client = Client(path, length=len(body), **more)
        return await client.sends(body).is_asked(application)

    return asyncio.run(ask())
