"""What works right now: each check does the thing it speaks of."""

import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.db import Error as DatabaseFault
from django.db import connection
from django.utils import timezone
from django_redis.exceptions import ConnectionInterrupted
from kombu.connection import Connection
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from features.ground.errors import DomainError, UnavailableError, bounded
from mlsite import broker as folder_broker
from mlsite.logs import redact
from mlsite.rpc import speaks_http2
from pipeline.models import StreamConsumer
from predictions.adapters.spool import bytes_on_disk, segments

LATE_S = 30.0
BUCKET_PATIENCE_S = 2.0
FORGOTTEN_S = 86_400.0


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
    except (DatabaseFault, KombuError, RedisError, ConnectionInterrupted, OSError) as error:
        text = redact(None, "", {"text": f"{type(error).__name__}: {error}"})["text"]
        return Check(name=name, ok=False, detail=bounded(text, 200))


def check_database() -> str:
    """Ask the database something that is in one of its tables."""
    with connection.cursor() as cursor:
        # Without a table SQLite would not so much as open its file.
        cursor.execute("SELECT id FROM django_migrations LIMIT 1")
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
    """Write a file where everything made at run time lives, and read it back; ask for the bucket, if there is one."""
    _write_in(settings.VAR_DIR)
    if not settings.CONFIG.storage.url.get_secret_value().startswith("s3:"):
        return "writable"
    try:
        # What it needs is large, and only there where tables are in a bucket.
        import_module("features.adapters.storage").reach_bucket(BUCKET_PATIENCE_S)
        return "writable, and the bucket answers"
    except OSError as error:
        # Its text may name what the bucket's address holds.
        raise CheckFailedError(f"the bucket of storage.url can't be used: {type(error).__name__}") from error


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


def check_consumers() -> str:
    """Look whether the consumers of streams are heard of, are not far behind, and run where they are expected."""
    config = settings.CONFIG.streaming
    known = {row.name: row for row in StreamConsumer.objects.all()}
    faults = [f"{name} is expected and has never run" for name in config.expected if name not in known]
    lines: list[str] = []
    for name, row in known.items():
        fault, said = _state_of(row, expected=name in config.expected)
        (faults if fault else lines).append(f"{name} {said}")
    if faults:
        raise CheckFailedError("; ".join(faults))
    return "; ".join(lines) or "none runs and none is expected"


def _state_of(row: StreamConsumer, *, expected: bool) -> tuple[bool, str]:
    """Tell whether something is wrong with a consumer, and how it is."""
    silent_s = (timezone.now() - row.heartbeat_at).total_seconds()
    if row.state == StreamConsumer.State.STOPPED:
        return expected, "has stopped"
    if row.state == StreamConsumer.State.FAILED:
        # Told of for a day, if nobody says that it should run: it may have been retired.
        return expected or silent_s < FORGOTTEN_S, f"has failed: {row.error}"
    if silent_s > LATE_S:
        return True, f"has been silent for {silent_s:,.0f} s"
    behind = "" if row.lag is None else f", {row.lag:,} messages behind"
    return 0 < settings.CONFIG.streaming.max_lag < (row.lag or 0), f"runs{behind}"


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
    "consumers": check_consumers,
}


def run_checks() -> list[Check]:
    """Run every check of the health page."""
    checks = CHECKS | ({"grpc": check_grpc} if settings.CONFIG.grpc.enabled else {})
    return [run_check(name, check) for name, check in checks.items()]
