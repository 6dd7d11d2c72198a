"""Which process this is."""

import os
import socket


def worker_name() -> str:
    """Return host and process id, as a run records who works on it."""
    return f"{socket.gethostname()}:{os.getpid()}"
