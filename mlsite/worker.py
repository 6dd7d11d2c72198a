"""One web process: an event loop that reads requests, and threads for what takes longer than a moment."""

import asyncio
import logging
import os
import resource
import signal
import socket
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import uvicorn
from django.utils.module_loading import import_string

from features.ground.errors import DomainError
from mlsite.bridge import Bridge
from mlsite.connection import LOOK_S, MAX_SILENT, Connection
from mlsite.edge import Edge

logger = logging.getLogger(__name__)
TICKS_A_SECOND = 10
MAX_FILES = 65_536


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """What a worker serves, and how.

    Attributes
    ----------
    target : str
        The WSGI application, as `module:name`.
    backlog : int
        How many connections wait to be accepted.
    grace_s : float
        How long requests that are in progress at the end may take.
    certificate, key : Path, optional
        For TLS.
    """

    target: str
    backlog: int
    grace_s: float
    certificate: Path | None = None
    key: Path | None = None


class _Server(uvicorn.Server):
    """uvicorn's server of one process, which tells when it answers and can leave to a successor."""

    def __init__(self, config: uvicorn.Config, ready: Any) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup(sockets)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._leave)
        self._ready.value = 1

    async def on_tick(self, counter: int) -> bool:
        """Look after connections now and then."""
        if counter % (LOOK_S * TICKS_A_SECOND) == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.look()
        return await super().on_tick(counter)

    def _leave(self) -> None:
        """Accept nothing new, and ask callers to connect again: what waits to be accepted is for the successor."""
        self.server_state.is_leaving = True  # type: ignore[attr-defined]  # ours, for the connections
        for server in self.servers:
            server.close()

    def end(self, *_: object) -> None:
        """Finish what is in progress and end."""
        self.should_exit = True


def run(options: WorkerOptions, listener: socket.socket, ready: Any) -> None:
    """Serve in this process until told to end; `ready.value` becomes 1 when it answers."""
    started = time.perf_counter()
    application: Any = import_string(options.target.replace(":", "."))
    try:
        import_module("predictions.engine").status()
    except DomainError as error:
        logger.warning("a web process begins without models: %s", error)
    _allow_connections()
    server = _Server(config_of(application, options), ready)
    # uvicorn puts its own in their place while it serves, and raises again then what it was ended by.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.end)
    logger.info("web process %s answers, %.1f s after it was started", os.getpid(), time.perf_counter() - started)
    server.run(sockets=[listener])


def _allow_connections() -> None:
    """Use all the open files this process may have: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if most == resource.RLIM_INFINITY else min(most, MAX_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def config_of(application: Any, options: WorkerOptions) -> uvicorn.Config:
    """Return how uvicorn serves an application."""
    return uvicorn.Config(
        Bridge(application),
        http=Edge,
        loop="uvloop",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=options.backlog,
        timeout_keep_alive=int(LOOK_S * MAX_SILENT),
        timeout_graceful_shutdown=max(1, int(options.grace_s)),
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
    )
