"""Times as people write them in a command."""

from datetime import UTC, datetime

from features.errors import SchemaError
from features.ground.errors import bounded


def utc_time(text: str) -> datetime:
    """Return an ISO 8601 time in UTC, which it is unless it says otherwise."""
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise SchemaError(f"a time is ISO 8601, such as 2013-09-01T00:00:00Z; got {bounded(repr(text))}") from error
