"""What `serve` hands down to a web server so that another can take its place: sockets, and a way to say ready."""

import os
import socket

LISTENERS = "WEB_LISTENER_FDS"
READY = "WEB_READY_FD"


def bound(host: str, port: int, count: int) -> list[socket.socket]:
    """Return so many sockets bound to one address, which the system gives connections in turn; who serves listens.

    Raises
    ------
    OSError
        If somebody else listens there, or the address may not be used.
    """
    # Alone first: with others of its kind a socket may be bound where another server listens.
    _bound(host, port, socket.SO_REUSEADDR).close()
    return [_bound(host, port, socket.SO_REUSEADDR, socket.SO_REUSEPORT) for _ in range(count)]


def _bound(host: str, port: int, *options: int) -> socket.socket:
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        for option in options:
            found.setsockopt(socket.SOL_SOCKET, option, 1)
        # The connections it gives inherit it: small answers must not wait for more to send.
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.bind((host.strip("[]"), port))
    except OSError:
        found.close()
        raise
    return found


def listeners(host: str, port: int, count: int) -> list[socket.socket]:
    """Return the sockets that were handed down, or some of our own."""
    given = os.environ.get(LISTENERS)
    return [socket.socket(fileno=int(fd)) for fd in given.split(",")] if given else bound(host, port, count)


def say_ready() -> None:
    """Tell whoever started this process that it answers."""
    if given := os.environ.get(READY):
        os.write(int(given), b"1")
        os.close(int(given))
