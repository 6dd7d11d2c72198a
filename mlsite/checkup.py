"""What the doctor looks at, beyond what the health page shows every few seconds."""

import re
import shutil
import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from django.conf import settings
from django.db import connection

from features.actions.mend_tables import check_tables
from mlsite.health import (
    Check,
    CheckFailedError,
    check_broker,
    check_cache,
    check_database,
    check_spool,
    check_storage,
    run_check,
)
from mlsite.serving import pending_migrations
from models_store.actions.clear_artefacts import left_artefacts
from models_store.adapters.keys import sign, trusted_keys, verify
from models_store.errors import NoSigningKeyError
from pipeline.adapters.clock import database_now
from pipeline.adapters.own_estimators import own_estimators

MAX_CLOCK_SKEW_S = 5
MB = 1024 * 1024
MIN_FREE_MB = 500
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)(?:\s*;\s*([^\\]+))?", re.MULTILINE)


def check_config() -> str:
    """Say which configuration is in force; a process with a wrong one has not come this far."""
    return f"{settings.CONFIG.app_env}, {len(settings.CONFIG.keys())} keys, all known and safe"


def check_integrity() -> str:
    """Have the database check itself, and look for tables of another version."""
    detail = check_database()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA integrity_check")
            found = cursor.fetchone()[0]
        if found != "ok":
            raise CheckFailedError(f"integrity_check: {found}; restore a backup")
        detail = f"sqlite {sqlite3.sqlite_version}, integrity ok"
    return detail


def check_migrations() -> str:
    """Look for migrations that are not applied."""
    if pending := pending_migrations():
        raise CheckFailedError(f"{len(pending)} not applied, first {pending[0]}: run `manage.py migrate`")
    return "all applied"


def check_space() -> str:
    """Write where everything made at run time lives, and look at the space left."""
    check_storage()
    free = shutil.disk_usage(settings.VAR_DIR).free
    if free < MIN_FREE_MB * MB:
        raise CheckFailedError(f"{free // MB} MB free in {settings.VAR_DIR}, at least {MIN_FREE_MB} needed")
    return f"writable, {free // MB:,} MB free"


def check_all_tables() -> str:
    """Compare every dataset's Delta table with what the database says of it."""
    found = check_tables()
    if found.faults:
        listed = "; ".join(str(fault) for fault in found.faults[:5])
        raise CheckFailedError(f"{len(found.faults)} do not fit what is recorded ({listed}): run `doctor --mend`")
    return f"{found.tables} fit what is recorded" + (f", {len(found.busy)} being written" if found.busy else "")


def check_artefacts() -> str:
    """Look for folders of registrations that died before their version was there."""
    if left := left_artefacts():
        size = sum(found.bytes for found in left)
        raise CheckFailedError(
            f"{len(left)} that no version names, {size:,} bytes, first {left[0].name[:16]}: run `doctor --mend`"
        )
    return "each is a version's, or younger than a day"


def check_keys() -> str:
    """Sign something and verify it; a process that only serves verifies with the public keys it has."""
    trusted = trusted_keys()
    try:
        verify(b"doctor", sign(b"doctor"))
    except NoSigningKeyError:
        return f"verifies with {len(trusted)} keys, does not sign"
    return f"signs and verifies, {len(trusted)} keys trusted"


def check_estimators() -> str:
    """Make each estimator the project registers itself."""
    return f"{len(own_estimators())} of the project's own, all can be made"


def check_clock() -> str:
    """Compare this machine's clock with the database's, which leases are counted by."""
    skew = abs((datetime.now(UTC) - database_now()).total_seconds())
    if skew > MAX_CLOCK_SKEW_S:
        raise CheckFailedError(f"{skew:.0f} s apart from the database's clock: run a time service")
    return f"{skew:.1f} s apart from the database's"


def check_versions() -> str:
    """Compare the installed packages with the pinned ones."""
    pins = [
        (name, wanted)
        for name, wanted, condition in PIN.findall((settings.BASE_DIR / "requirements.txt").read_text())
        if not condition
    ]
    wrong = [fault for name, wanted in pins if (fault := _wrong_version(name, wanted))]
    if wrong:
        raise CheckFailedError(f"{'; '.join(wrong[:5])}: run `make setup`")
    return f"Python {sys.version.split()[0]}, {len(pins)} packages as pinned"


def _wrong_version(name: str, wanted: str) -> str:
    try:
        found = version(name)
    except PackageNotFoundError:
        return f"{name} {wanted} is missing"
    return "" if found == wanted else f"{name} {wanted} is pinned, {found} is installed"


CHECKS: dict[str, Callable[[], str]] = {
    "config": check_config,
    "database": check_integrity,
    "migrations": check_migrations,
    "broker": check_broker,
    "cache": check_cache,
    "storage": check_space,
    "spool": check_spool,
    "tables": check_all_tables,
    "artefacts": check_artefacts,
    "keys": check_keys,
    "estimators": check_estimators,
    "clock": check_clock,
    "versions": check_versions,
}


def examine() -> list[Check]:
    """Run every check."""
    return [run_check(name, check) for name, check in CHECKS.items()]
