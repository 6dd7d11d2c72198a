"""A TCP proxy in front of a server that can hold its answers back, or be away."""

import contextlib
import socket
import threading
import time
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Listens on a port of its own and hands over both ways; each piece of an answer waits `delay_s`."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._target = (self._parts.hostname, self._parts.port)
        self.delay_s = 0.0
        self.is_away = False
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """Return the server's address by way of the proxy."""
        user = f"{self._parts.username}@" if self._parts.username else ""
        return urlunsplit(self._parts._replace(netloc=f"{user}127.0.0.1:{self.port}"))

    def cut(self) -> None:
        """Be away: end what is open, and every new connection at once."""
        self.is_away = True
        for end in self._open:
            _shut(end)
            end.close()
        self._open.clear()

    def mend(self) -> None:
        """Be back."""
        self.is_away = False

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        _shut(self._listener)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_away:
                client.close()
                continue
            server = socket.create_connection(self._target)
            self._open += [client, server]
            threading.Thread(target=self._hand_over, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._hand_over, args=(server, client, True), daemon=True).start()

    def _hand_over(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if answers and self.delay_s:
                    time.sleep(self.delay_s)
                target.sendall(data)
        _shut(source)
        _shut(target)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
