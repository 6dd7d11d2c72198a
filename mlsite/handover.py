"""What `serve` hands down to a web server so that another can take its place: the socket, and a way to say ready."""

import os
import socket

LISTENER = "WEB_LISTENER_FD"
READY = "WEB_READY_FD"


def bound(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address; whoever serves there listens.

    Raises
    ------
    OSError
        If the address is taken or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # The connections it gives inherit it: small answers must not wait for more to send.
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.bind((host.strip("[]"), port))
    except OSError:
        found.close()
        raise
    return found


def listener(host: str, port: int) -> socket.socket:
    """Return the socket that was handed down, or one of our own."""
    given = os.environ.get(LISTENER)
    return socket.socket(fileno=int(given)) if given else bound(host, port)


def say_ready() -> None:
    """Tell whoever started this process that it answers."""
    if given := os.environ.get(READY):
        os.write(int(given), b"1")
        os.close(int(given))
