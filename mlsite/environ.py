"""The WSGI environment of a request, from what the event loop has read of it."""

import sys
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from predictions.adapters.limits import ENVIRON_KEY
from predictions.lane import Environ

Scope = Any


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
