"""Options several commands have."""

import argparse
import re
from datetime import UTC, datetime

from django.conf import settings
from django.utils.module_loading import import_string

HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0, "w": 168.0}


def window(text: str) -> float:
    """Return a window such as 90m, 24h, 7d or 2w in hours."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([mhdw])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"a window is a number with m, h, d or w, such as 24h; got {text!r}")
    return float(match[1]) * HOURS[match[2]]


def moment(text: str) -> datetime:
    """Return an ISO 8601 time; one without a zone is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a time is written as 2026-01-31T12:00; got {text!r}") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def refuse_bad_estimators() -> None:
    """Make each estimator the project registers itself, so that one that can't be made stops the start."""
    if settings.CONFIG.training.estimators:
        # By path: without any, a process that never trains loads no training library.
        import_string("pipeline.adapters.own_estimators.own_estimators")()
