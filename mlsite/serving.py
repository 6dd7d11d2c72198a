"""What `serve` runs: the web server, the worker and the beat, and where they are reached."""

import errno
import fcntl
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import Request, urlopen

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from features.ground.errors import RefusedError, UnavailableError
from features.ground.paths import var_path
from mlsite import handover
from mlsite.supervisor import ChildSpec

MANAGE = settings.BASE_DIR / "manage.py"
LIVE = "/api/v1/health/live"
BACKLOG = 1024


class PortBusyError(UnavailableError):
    """Somebody else listens where we should."""

    code = "port_busy"


class UnmigratedError(RefusedError):
    """The database has other tables than the code wants."""

    code = "unmigrated"


def refuse_busy_port(host: str, port: int, variable: str = "PORT") -> None:
    """Refuse to start where another server listens; the variable that names another port is told.

    Raises
    ------
    PortBusyError
        If the port is taken, or may not be used.
    """
    with _told_of_busy(host, port, variable):
        handover.bound(host, port, 0)


def bind_port(host: str, port: int, workers: int) -> list[socket.socket]:
    """Return the sockets the web processes of this `serve` accept from, those of now and those after them.

    Raises
    ------
    PortBusyError
        If the port is taken, or may not be used.
    """
    with _told_of_busy(host, port, "PORT"):
        return handover.bound(host, port, workers)


@contextmanager
def _told_of_busy(host: str, port: int, variable: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = "is taken: stop the other server" if error.errno == errno.EADDRINUSE else f"can't be used ({error})"
        raise PortBusyError(f"port {port} on {host} {why}, or choose another with {variable} or --port") from error


def hold_port(port: int) -> IO[bytes]:
    """Keep a second `serve` of this run-time folder off the port; the port itself is free while a child restarts.

    Raises
    ------
    PortBusyError
        If another `serve` holds it.
    """
    lock = var_path("locks", f"serve-{port}").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise PortBusyError(f"port {port} is taken: another `serve` of {settings.VAR_DIR} serves there") from error
    return lock


def refuse_unmigrated() -> None:
    """Refuse to serve with tables of another version.

    Raises
    ------
    UnmigratedError
        If a migration is not applied.
    """
    if pending := pending_migrations():
        raise UnmigratedError(
            f"the database lacks {len(pending)} migrations, first {pending[0]}: start with --migrate, or run migrate"
        )


def pending_migrations() -> list[str]:
    """Return the names of migrations that are not applied."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def run_demo() -> int:
    """Fill the demo in a process of its own, so that its memory is given back; return its exit code."""
    return subprocess.run([sys.executable, str(MANAGE), "demo"], check=False).returncode


def child_specs(*, workers: int, host: str, port: int, listeners: Sequence[socket.socket]) -> list[ChildSpec]:
    """Return the web server, the worker, the beat, and the gRPC server where it is wanted."""
    metrics = settings.VAR_DIR / "prometheus"
    shutil.rmtree(metrics, ignore_errors=True)  # files of processes that are gone would be counted again
    metrics.mkdir(parents=True)
    environ = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "mlsite.settings",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PYTHONUNBUFFERED": "1",
        "SERVER__WORKERS": str(workers),
    }
    manage = [sys.executable, str(MANAGE)]
    # Whoever started us may stand in another folder.
    path = os.pathsep.join(filter(None, (str(settings.BASE_DIR), os.environ.get("PYTHONPATH"))))
    handed = tuple(listener.fileno() for listener in listeners)
    web = {"OMP_NUM_THREADS": "1", "PYTHONPATH": path, handover.LISTENERS: ",".join(map(str, handed))}
    specs = [
        ChildSpec(
            role="web",
            argv=web_argv(workers, host, port),
            environ=_as(environ, "web", **web),
            hands_down=handed,
            ready_in=handover.READY,
            leaves_on=signal.SIGUSR2,
        ),
        ChildSpec(role="worker", argv=[*manage, "worker"], environ=_as(environ, "worker")),
        ChildSpec(role="beat", argv=[*manage, "beat"], environ=_as(environ, "beat")),
    ]
    if settings.CONFIG.grpc.enabled:
        argv = [*manage, "serve_grpc"]
        specs.append(ChildSpec(role="grpc", argv=argv, environ=_as(environ, "grpc", OMP_NUM_THREADS="1")))
    return specs


def _as(environ: dict[str, str], role: str, **more: str) -> dict[str, str]:
    return {**environ, "PROCESS_ROLE": role, **more}


def web_argv(workers: int, host: str, port: int) -> list[str]:
    """Return the command line of the web server."""
    options = {
        "--host": host.strip("[]"),
        "--port": str(port),
        "--workers": str(workers),
        "--backlog": str(BACKLOG),
        "--workers-kill-timeout": "8",
    }
    if cert := settings.CONFIG.ssl_cert:
        options |= {"--ssl-certificate": str(_here(cert)), "--ssl-keyfile": str(_here(settings.CONFIG.ssl_key))}
    pairs = [part for option in options.items() for part in option]
    return [sys.executable, "-m", "mlsite.web", *pairs, "mlsite.wsgi:application"]


def _here(path: Path | None) -> Path:
    return (path or Path()).resolve()


def address(host: str, port: int) -> str:
    """Return where a browser on this machine finds the site."""
    scheme = "https" if settings.CONFIG.ssl_cert else "http"
    reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "[::]": "[::1]"}.get(host, host)  # noqa: S104 (not bound, read)
    return settings.CONFIG.server.base_url or f"{scheme}://{reached}:{port}"


def answers(host: str, port: int) -> bool:
    """Tell whether the web server says it is alive."""
    scheme = "https" if settings.CONFIG.ssl_cert else "http"
    reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "[::]": "[::1]"}.get(host, host)  # noqa: S104 (not bound, read)
    name = settings.ALLOWED_HOSTS[0].lstrip(".").replace("*", "localhost")
    request = Request(f"{scheme}://{reached}:{port}{LIVE}", headers={"Host": name})  # noqa: S310 (our own server)
    # The certificate names the site, not this machine; nothing is trusted here but the status.
    context = ssl._create_unverified_context() if scheme == "https" else None  # noqa: S323 (the same)
    try:
        with urlopen(request, timeout=1, context=context) as answer:  # noqa: S310 (our own server)
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
