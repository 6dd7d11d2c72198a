"""A policy's calendar as people write it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from features.ground.errors import bounded
from models_store.core.calendar import Calendar, Freeze, Window
from models_store.errors import PolicyError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_ENTRIES = 100


def parse_calendar(windows: Any, freezes: Any, timezone: Any) -> Calendar:
    """Read a calendar from the form a policy holds.

    Parameters
    ----------
    windows : list of mapping
        `days` (mon to sun; every day if left out), `from` and `to` as HH:MM.
    freezes : list of mapping
        `from` and `to` as ISO 8601, UTC unless they say otherwise, and a `reason`.
    timezone : str
        Name of the zone the windows are meant in.

    Returns
    -------
    Calendar
        The checked calendar.

    Raises
    ------
    PolicyError
        If a key, day, time or zone can't be used.
    """
    try:
        zone = ZoneInfo(str(timezone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise PolicyError(f"timezone must be a zone such as Europe/Berlin, got {bounded(timezone)}") from error
    return Calendar(
        windows=tuple(_window(entry) for entry in _entries(windows, "windows", ("days", "from", "to"))),
        freezes=tuple(_freeze(entry) for entry in _entries(freezes, "freezes", ("from", "to", "reason"))),
        timezone=str(timezone),
        zone=zone,
    )


def calendar_as_dict(calendar: Calendar) -> dict[str, Any]:
    """Return a calendar in the form a policy holds.

    Parameters
    ----------
    calendar : Calendar
        A checked one.

    Returns
    -------
    dict
        `windows`, `freezes` and `timezone`, those that say something.
    """
    windows = [
        {"days": [DAYS[day] for day in window.days], "from": _clock(window.start), "to": _clock(window.end)}
        for window in calendar.windows
    ]
    freezes = [
        {"from": freeze.start.isoformat(), "to": freeze.end.isoformat(), "reason": freeze.reason}
        for freeze in calendar.freezes
    ]
    said = {"windows": windows, "freezes": freezes, "timezone": calendar.timezone if windows else "UTC"}
    return {key: value for key, value in said.items() if value and value != "UTC"}


def _entries(data: Any, name: str, keys: tuple[str, ...]) -> Sequence[Mapping[str, Any]]:
    if not isinstance(data, list | tuple) or len(data) > MAX_ENTRIES:
        raise PolicyError(f"{name} is a list of at most {MAX_ENTRIES}, got {bounded(data)}")
    for entry in data:
        if not isinstance(entry, Mapping) or set(entry) - set(keys) or not {"from", "to"} <= set(entry):
            raise PolicyError(f"an entry of {name} has {', '.join(keys)}; got {bounded(entry)}")
    return data


def _window(entry: Mapping[str, Any]) -> Window:
    days = entry.get("days", DAYS)
    if not isinstance(days, list | tuple) or not days or set(map(str, days)) - set(DAYS):
        raise PolicyError(f"days are some of {', '.join(DAYS)}; got {bounded(days)}")
    start, end = _minute(entry["from"]), _minute(entry["to"])
    if start >= end:
        raise PolicyError(f"a window begins before it ends, on one day; got {entry['from']} to {entry['to']}")
    return Window(days=tuple(DAYS.index(day) for day in DAYS if day in days), start=start, end=end)


def _minute(value: Any) -> int:
    hours, mark, minutes = str(value).partition(":")
    if isinstance(value, str) and mark and hours.isdecimal() and minutes.isdecimal() and len(value) == len("HH:MM"):
        total = int(hours) * 60 + int(minutes)
        if int(minutes) < 60 and total <= 24 * 60:
            return total
    raise PolicyError(f'a window\'s times are "HH:MM", in quotes, 00:00 to 24:00; got {bounded(value)}')


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _freeze(entry: Mapping[str, Any]) -> Freeze:
    reason = str(entry.get("reason", "")).strip()
    if not 0 < len(reason) <= 200:
        raise PolicyError(f"a freeze has a reason of 1 to 200 characters, got {len(reason)}")
    start, end = _moment(entry["from"]), _moment(entry["to"])
    if start >= end:
        raise PolicyError(f"a freeze begins before it ends; got {entry['from']} to {entry['to']}")
    return Freeze(start=start, end=end, reason=reason)


def _moment(value: Any) -> datetime:
    # YAML reads dates by itself.
    text = value.isoformat() if isinstance(value, date) else value
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise PolicyError(f"a freeze's times are ISO 8601, got {bounded(value)}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
