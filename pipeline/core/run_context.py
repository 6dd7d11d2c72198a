"""What a handler is given, and the form its result is kept in."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from features.ground.progress import Report


@dataclass(frozen=True, kw_only=True, slots=True)
class RunContext:
    """One attempt at a run, as its handler sees it.

    Parameters
    ----------
    run_id : UUID
        The run.
    params : Mapping
        What was asked for, JSON-compatible.
    actor : str
        Who asked.
    report : Report
        Takes a percent and a step; raises `LeaseLostError` once another worker has the run.
    """

    run_id: UUID
    params: Mapping[str, Any]
    actor: str
    report: Report


Handler = Callable[[RunContext], dict[str, Any]]


def finite(value: Any) -> Any:
    """Replace every NaN and infinity in a JSON value by None: databases refuse them.

    Parameters
    ----------
    value : Any
        Mappings, sequences and plain values.

    Returns
    -------
    Any
        The same, with dicts, lists and finite numbers alone.
    """
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
