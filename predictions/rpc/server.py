"""The gRPC server: one process, a few threads, a bounded queue; it ends what it began before it stops."""

import logging
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import grpc
from django.conf import settings

from predictions import engine
from predictions.actions.log_predictions import log
from predictions.rpc.calls import Calls, FaultOf
from predictions.rpc.health import WATCHES

logger = logging.getLogger(__name__)
# Calls that may wait for a thread; more are refused at once, with RESOURCE_EXHAUSTED.
WAITING = 256
# Once the server is told to stop, new calls are refused until none has come for a while: the library itself would
# cancel some of them, and a caller could not tell whether they were worked on.
QUIET_S, DRAIN_S, LAST_S = 1.0, 10.0, 2.0


def make_server(calls: Calls, host: str, port: int) -> tuple[grpc.Server, int]:
    """Return a server that listens, not started, and its port.

    Raises
    ------
    RuntimeError
        If the port can't be had.
    """
    config = settings.CONFIG
    server = grpc.server(
        ThreadPoolExecutor(config.grpc.threads, thread_name_prefix="rpc"),
        handlers=calls.handlers(),
        maximum_concurrent_rpcs=config.grpc.threads + WAITING + WATCHES,
        options=[
            ("grpc.max_receive_message_length", config.security.max_request_size),
            # A second server on the port would take part of the calls unseen.
            ("grpc.so_reuseport", 0),
            # A caller whose machine is gone says no farewell, and would keep its watch.
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
        ],
    )
    where = f"[{host.strip('[]')}]:{port}" if ":" in host else f"{host}:{port}"
    if config.ssl_cert and config.ssl_key:
        pair = (Path(config.ssl_key).read_bytes(), Path(config.ssl_cert).read_bytes())
        return server, server.add_secure_port(where, grpc.ssl_server_credentials([pair]))
    return server, server.add_insecure_port(where)


def serve(fault_of: FaultOf, host: str, port: int, told: Callable[[int], None]) -> None:
    """Serve until SIGINT or SIGTERM, then let the calls that were begun end; `told` learns the port."""
    stop = threading.Event()

    def leave(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    calls = Calls(fault_of)
    server, bound = make_server(calls, host, port)
    engine.start()
    log.start()
    server.start()
    told(bound)
    stop.wait()
    logger.info("stopping: no new calls, %.0f s for those that were begun", DRAIN_S)
    calls.stopping = True
    deadline = time.monotonic() + DRAIN_S
    while not calls.quiet(QUIET_S) and time.monotonic() < deadline:
        time.sleep(0.05)
    server.stop(LAST_S).wait()
    engine.stop()
