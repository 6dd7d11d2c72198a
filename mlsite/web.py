"""The web server: granian's, with workers that start fast, come back when they die, and leave without being missed.

`python -m mlsite.web` takes granian's own options. What differs from granian's:

- Each worker accepts from a socket of its own, as granian's do, but the socket outlives it: what waits there is taken
  by its successor. `serve` hands them down: while a web server is replaced or started again, nobody is refused.
- Modules are imported once, before the workers are forked: a worker is ready as soon as it has loaded its models.
- Workers that die are started again, however often; only those that never got ready are given longer and longer pauses.
- One more process writes the prediction log for all workers.
- On SIGUSR2 it leaves because another has taken its place: its workers accept nothing new and ask their callers to
  connect again, before they finish as they do on SIGTERM.
"""

import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from granian import cli
from granian._granian import SocketHolder
from granian._internal import load_target
from granian.server.mp import MPServer

from mlsite import handover
from mlsite.nudge import nudge_main_thread

logger = logging.getLogger("mlsite.web")  # not the name of what runs as the main module
# Of callers who keep a connection, those who ask at least this often are told to connect again.
LEAVE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 30.0
PRELOADED = ("mlsite.urls", "mlsite.log_writer", "predictions.engine", "predictions.lane")
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Leaver:
    """An application that on SIGUSR1 begins to end each connection with its next answer, and takes no new ones."""

    def __init__(self, application: Application, listener: int) -> None:
        self._application = application
        self._listener = listener
        self._leaving = False
        signal.signal(signal.SIGUSR1, self._leave)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        if self._leaving:
            start_response = partial(_start_last, start_response)
        return self._application(environ, start_response)

    def _leave(self, *_: object) -> None:
        self._leaving = True
        # The listener's descriptors now mean a socket nobody connects to; what waits at it is for the successor.
        left = os.fstat(self._listener)
        with socket.create_server(("127.0.0.1", 0)) as nowhere:
            nowhere.setblocking(False)
            for descriptor in [int(path.name) for path in Path("/dev/fd").iterdir()]:
                with contextlib.suppress(OSError):
                    if os.path.samestat(os.fstat(descriptor), left):
                        os.dup2(nowhere.fileno(), descriptor)


def _start_last(start: Any, status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
    return start(status, [*headers, ("Connection", "close")], *error)


def _load(ready: Any, listener: int, link: Any, index: int, target: str) -> Leaver:
    """Return the application of a worker; it is ready to answer then."""
    started = time.perf_counter()
    # Until it answers it has nothing to finish; the server's own handlers would leave it here when all are told to end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    nudge_main_thread()
    import_module("mlsite.logs").configure()
    import_module("predictions.actions.log_predictions").write_through(link.of_worker(index))
    loaded: Any = load_target(target)
    application = Leaver(loaded, listener)
    try:
        import_module("predictions.engine").status()
    except import_module("features.ground.errors").DomainError as error:
        logger.warning("a web process begins without models: %s", error)
    logger.info("web process %s answers, %.1f s after it was started", os.getpid(), time.perf_counter() - started)
    ready.value = 1
    return application


class Server(MPServer):
    """granian's server with our way of starting, restarting and ending workers."""

    def _init_shared_socket(self) -> None:
        self._listeners = handover.listeners(self.bind_addr, self.bind_port, self.workers)
        for listener in self._listeners:
            listener.listen(self.backlog)
        self._ssp = self._sso = None

    def _drop_shared_socket(self) -> None:
        for listener in self._listeners:
            listener.close()

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any, *_: Any) -> Any:
        # Without a lock: a worker that is killed would leave it locked.
        ready = multiprocessing.RawValue("b", 0)
        listener = self._listeners[idx].fileno()
        self._shd = SocketHolder(listener, False, self.backlog)  # type: ignore[call-arg,assignment]  # as it is, not as typed
        self._ready[idx] = ready
        load = partial(_load, ready, listener, self._log_writer.link, idx, self.target)
        return super()._spawn_worker(idx, target, load)

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        wake = self.main_loop_interrupt.set
        self._log_writer = import_module("mlsite.log_writer").LogWriter(self.workers, self._listeners, wake)
        self._log_writer.mend()
        super()._spawn_workers(spawn_target, target_loader)

    def startup(self, spawn_target: Any, target_loader: Any) -> None:
        """Begin to serve."""
        self._leaves = False
        self._ready: dict[int, Any] = {}
        signal.signal(signal.SIGUSR2, self._leave)
        nudge_main_thread()
        super().startup(spawn_target, target_loader)
        threading.Thread(target=self._say_ready, daemon=True).start()

    def _leave(self, *_: object) -> None:
        self._leaves = True
        self.signal_handler_interrupt()

    def _say_ready(self) -> None:
        while not all(ready.value for ready in list(self._ready.values())):
            time.sleep(0.05)
        handover.say_ready()

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        failures = 0
        while True:
            self.main_loop_interrupt.wait()
            if self.interrupt_signal:
                return
            self.main_loop_interrupt.clear()
            self._log_writer.mend()
            while self.interrupt_children:
                index = self.interrupt_children.pop(0)
                failures = 0 if self._ready[index].value else failures + 1
                if failures and self._pauses(failures):
                    return
                self._respawn_workers([index], spawn_target, target_loader)

    def _pauses(self, failures: int) -> bool:
        """Wait before a worker is tried that did not get ready; whether the server was told to end meanwhile."""
        seconds = min(MAX_PAUSE_SECONDS, 0.5 * 2 ** (failures - 1))
        logger.error("a web process ended before it could answer; the next is started in %.1f s", seconds)
        deadline = time.monotonic() + seconds
        while not self.interrupt_signal and time.monotonic() < deadline:
            time.sleep(0.1)
        return bool(self.interrupt_signal)

    def _stop_workers(self) -> None:
        if self._leaves:
            for worker in self.wrks:
                if self._ready[worker.idx].value and worker.is_alive():
                    os.kill(worker.inner.pid, signal.SIGUSR1)
            time.sleep(LEAVE_SECONDS)
        super()._stop_workers()
        self._log_writer.end()


def preload() -> None:
    """Import what every worker needs; no thread, no connection and no log file is begun."""
    settings.CONFIG  # noqa: B018 (they are read while the role is there)
    role = os.environ.pop("PROCESS_ROLE", None)
    django.setup()
    for name in PRELOADED:
        import_module(name)
    if role is not None:
        os.environ["PROCESS_ROLE"] = role
    gc.collect()
    # What is collected is written to, and what is written to is no longer shared.
    gc.freeze()


def main() -> None:
    """Serve until told to end."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlsite.settings")
    multiprocessing.set_start_method("fork")
    preload()
    # granian's command line makes a server of whatever class it finds under this name.
    cli.Server = Server  # type: ignore[attr-defined]  # imported there
    try:
        cli.entrypoint()
    finally:
        gc.unfreeze()


if __name__ == "__main__":
    main()
