"""Time as the database tells it, so that workers with other clocks agree."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, Value
from django.db.models.functions import Now

SQLITE_NOW = "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')"


def from_now(seconds: float) -> "ExpressionWrapper[Any]":
    """Return the expression for a time so many seconds from now; negative is past."""
    step = Value(timedelta(seconds=seconds), output_field=DurationField())
    return ExpressionWrapper(Now() + step, output_field=DateTimeField())


def database_now() -> datetime:
    """Return the database's time."""
    with connection.cursor() as cursor:
        cursor.execute(SQLITE_NOW if connection.vendor == "sqlite" else "SELECT statement_timestamp()")
        value = cursor.fetchone()[0]
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
