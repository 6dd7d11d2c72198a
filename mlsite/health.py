"""What works right now: each check does the thing it speaks of."""

import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.db import Error as DatabaseFault
from django.db import connection
from kombu.connection import Connection
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from features.ground.errors import DomainError, UnavailableError, bounded
from mlsite import broker as folder_broker
from mlsite.logs import redact
from mlsite.rpc import speaks_http2
from predictions.adapters.spool import bytes_on_disk, segments

LATE_S = 30.0


class CheckFailedError(UnavailableError):
    """Something the product stands on is not as it must be."""

    code = "check_failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One finding."""

    name: str
    ok: bool
    detail: str


def run_check(name: str, check: Callable[[], str]) -> Check:
    """Return what a check found; one that raises has failed."""
    try:
        return Check(name=name, ok=True, detail=check())
    except DomainError as error:
        return Check(name=name, ok=False, detail=bounded(error.message, 200))
    except (DatabaseFault, KombuError, RedisError, OSError) as error:
        text = redact(None, "", {"text": f"{type(error).__name__}: {error}"})["text"]
        return Check(name=name, ok=False, detail=bounded(text, 200))


def check_database() -> str:
    """Ask the database something."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return connection.vendor


def check_broker() -> str:
    """Reach the queue."""
    url = settings.CELERY_BROKER_URL
    if url.startswith(folder_broker.NAME):
        _write_in(settings.VAR_DIR / "broker" / "queue")
        return folder_broker.NAME
    timeout = settings.CONFIG.redis.socket_timeout_s
    options = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    with Connection(url, connect_timeout=timeout, transport_options=options) as queue:
        queue.ensure_connection(max_retries=1, interval_start=0, timeout=2 * timeout)
        return str(queue.transport.driver_type)


def check_cache() -> str:
    """Put something into the cache and get it back."""
    key, value = f"health:{secrets.token_hex(8)}", secrets.token_hex(8)
    cache.set(key, value, 10)
    if cache.get(key) != value:
        raise CheckFailedError("the cache forgot what was just put into it")
    cache.delete(key)
    return "redis" if settings.REDIS_URL else "local"


def check_storage() -> str:
    """Write a file where everything made at run time lives, and read it back."""
    _write_in(settings.VAR_DIR)
    return "writable"


def check_spool() -> str:
    """Look whether answers wait on disk for a database that takes none."""
    waiting = segments()
    size, room = bytes_on_disk(), settings.CONFIG.prediction_log.spool_mb * 1_048_576
    # A segment is named by the nanosecond it was begun in.
    age = (time.time_ns() - int(waiting[0].name.partition("-")[0])) / 1e9 if waiting else 0.0
    if size > room * 0.8 or age > LATE_S:
        raise CheckFailedError(f"{size:,} of {room:,} bytes wait for the database, the oldest for {age:.0f} s")
    return f"{size:,} bytes wait" if waiting else "empty"


def check_grpc() -> str:
    """Greet the gRPC server."""
    grpc = settings.CONFIG.grpc
    if not speaks_http2(grpc.host, grpc.port):
        raise CheckFailedError(f"whoever listens on port {grpc.port} does not speak gRPC")
    return f"answers on port {grpc.port}"


def _write_in(folder: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".health-") as file:
        file.write(b"ok")
        file.flush()
        if Path(file.name).read_bytes() != b"ok":
            raise CheckFailedError("a file does not hold what was written to it")


CHECKS: dict[str, Callable[[], str]] = {
    "database": check_database,
    "broker": check_broker,
    "cache": check_cache,
    "storage": check_storage,
    "spool": check_spool,
}


def run_checks() -> list[Check]:
    """Run every check of the health page."""
    checks = CHECKS | ({"grpc": check_grpc} if settings.CONFIG.grpc.enabled else {})
    return [run_check(name, check) for name, check in checks.items()]
