"""A connection to a server as bytes: what is sent when, and what comes back."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import NamedTuple

import orjson

from tests.served import Server

PREDICT, SIZE = "/api/v1/predict", "/api/v1/models/size/predict"
TIMEOUT_S = 60


class Answer(NamedTuple):
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def predictions(self) -> list[object]:
        """Return what was predicted."""
        found: list[object] = orjson.loads(self.content)["predictions"]
        return found


def body(*lengths: float) -> bytes:
    """Return a question about rows of these lengths."""
    return orjson.dumps({"data": [[length, 1.5, "red"] for length in lengths]})


def head(
    token: str, length: int | str, *lines: str, path: str = PREDICT, begin: str = "POST", version: str = "1.1"
) -> bytes:
    """Return the head of a question, with further lines."""
    said = [f"{begin} {path} HTTP/{version}", "Host: localhost", f"Authorization: Bearer {token}"]
    said += ["Content-Type: application/json", f"Content-Length: {length}", *lines]
    return "\r\n".join(said).encode() + b"\r\n\r\n"


def question(token: str, *lengths: float, lines: tuple[str, ...] = (), path: str = PREDICT) -> bytes:
    """Return a whole question."""
    content = body(*lengths)
    return head(token, len(content), *lines, path=path) + content


class Wire:
    """One connection."""

    def __init__(self, server: Server, room: int = 0) -> None:
        self.server = server
        self.socket = socket.socket()
        self.socket.settimeout(TIMEOUT_S)
        if room:
            # What this side keeps of answers nobody has read.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.socket.connect(("127.0.0.1", server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def sends(self, *packets: bytes) -> "Wire":
        """Send packets; each is read by the server before the next is sent."""
        for number, packet in enumerate(packets):
            if number:
                self.is_read()
            self.socket.sendall(packet)
        return self

    def is_read(self) -> None:
        """Return when the server has read what was sent: its loop has come to one who asked later."""
        asks(self.server, "/api/v1/health/live")

    def line(self) -> bytes:
        """Return a line of what came."""
        return self._file.readline()

    def answer(self, *, to_head: bool = False) -> Answer:
        """Return the next answer."""
        first = self._file.readline().split(None, 2)
        assert first[:1] == [b"HTTP/1.1"], first
        headers = dict[str, str]()
        while line := self._file.readline().strip().decode("latin-1"):
            name, _, value = line.partition(": ")
            assert name not in headers, f"{name} came twice"
            headers[name] = value
        content = b"" if to_head else self._file.read(int(headers["content-length"]))
        return Answer(int(first[1]), headers, content)

    def asks(self, text: bytes) -> Answer:
        """Send a question, and return its answer."""
        return self.sends(text).answer()

    @property
    def is_closed(self) -> bool:
        """Tell whether the server has closed the connection, having said no more; waits for one of both."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True

    def breaks(self) -> None:
        """End the connection at once, as a client that dies."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._file.close()
        self.socket.close()


@contextmanager
def wired(server: Server, room: int = 0) -> Iterator[Wire]:
    """Give a connection until the block ends."""
    wire = Wire(server, room)
    try:
        yield wire
    finally:
        wire.close()


def asks(server: Server, path: str) -> int:
    """Ask for an address on a connection of its own, and return the status."""
    client = HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    try:
        client.request("GET", path)
        with client.getresponse() as response:
            response.read()
            return response.status
    finally:
        client.close()
