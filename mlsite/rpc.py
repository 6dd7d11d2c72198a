"""The gRPC server as an extra: loaded where it is wanted, refused clearly where it is not installed."""

import importlib
import importlib.util
import socket
import ssl
from types import ModuleType

from django.conf import settings

from features.ground.errors import UnavailableError

PACKAGES = ("grpc", "grpc_health")
# HTTP/2's greeting, with empty settings after it; a server answers with its own settings.
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
FRAME_HEAD, SETTINGS_FRAME = 9, 4
TIMEOUT_S = 1.0


class GrpcMissingError(UnavailableError):
    """The extra `grpc` is not installed."""

    code = "grpc_missing"


def require_grpc() -> None:
    """Refuse to go on without the extra.

    Raises
    ------
    GrpcMissingError
        If its packages are not installed.
    """
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        raise GrpcMissingError(
            f"gRPC is an extra, and it is not installed (missing: {', '.join(missing)}): "
            "pip install -r requirements-grpc.txt"
        )


def rpc_server() -> ModuleType:
    """Return the module of the server, which needs the extra."""
    require_grpc()
    return importlib.import_module("predictions.rpc.server")


def speaks_http2(host: str, port: int) -> bool:
    """Tell whether whoever listens there greets back as gRPC servers do.

    Raises
    ------
    OSError
        If nobody does.
    """
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}.get(host, host.strip("[]"))  # noqa: S104 (not bound, read)
    plain = socket.create_connection((reached, port), timeout=TIMEOUT_S)
    with plain, _secured(plain) if settings.CONFIG.ssl_cert else plain as link:
        link.sendall(GREETING)
        head = b""
        while len(head) < FRAME_HEAD and (more := link.recv(FRAME_HEAD - len(head))):
            head += more
        return len(head) == FRAME_HEAD and head[3] == SETTINGS_FRAME


def _secured(plain: socket.socket) -> ssl.SSLSocket:
    # The certificate names the site, not this machine; nothing is trusted here but the greeting.
    context = ssl._create_unverified_context()  # noqa: S323 (the same)
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(plain)
