"""No group of rows fares much worse than the whole."""

from collections.abc import Iterator
from typing import Any

from models_store.core.gates.base import Evidence, GateOutcome, Settings, measured, outcome
from models_store.core.gates.settings import Number
from models_store.core.quality import is_lower_better

NAME = "slices_not_worse"
DEFAULT_TOLERANCE = 0.25
DEFAULT_MIN_ROWS = 100
SETTINGS = {"bound": Number(), "tolerance": Number(low=0, high=10), "min_rows": Number(low=1, high=1e12, whole=True)}


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that the primary metric of every slice that was measured be on the right side of a bound.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    settings : mapping
        `bound`: the worst value allowed, in the metric's unit; else `tolerance`: the share of the whole test part's
        value that a slice may lose, 0.25. `min_rows`: slices of fewer rows are not asked, 100.

    Returns
    -------
    GateOutcome
        Failed where no slice was measured; its evidence lists the slices that are worse.
    """
    metric, whole = evidence.primary_metric, measured(evidence.metrics, "test", evidence.primary_metric)
    lower, bound = is_lower_better(metric), settings.get("bound")
    if bound is None:
        if whole is None:
            return outcome(NAME, False, f"{metric} was not measured", f"{metric} of every slice")
        slack = float(settings.get("tolerance", DEFAULT_TOLERANCE)) * abs(whole)
        bound = whole + slack if lower else whole - slack
    wanted = f"{metric} of every slice at {'most' if lower else 'least'} {bound:.6g}"
    least = int(settings.get("min_rows", DEFAULT_MIN_ROWS))
    found = dict(_slices(evidence, least))
    if not found:
        return outcome(NAME, False, f"no slice of {least} rows was measured: train with --slice COLUMN", wanted)
    ordered = sorted(found, key=lambda name: found[name], reverse=lower)
    worse = [name for name in ordered if (found[name] > bound if lower else found[name] < bound)]
    shown = [f"{name} {found[name]:.6g}" for name in worse or ordered[:1]]
    seen = f"worse: {'; '.join(shown)}" if worse else f"worst of {len(found)}: {shown[0]}"
    return outcome(NAME, not worse, seen, wanted, worse={name: found[name] for name in worse}, slices=len(found))


def _slices(evidence: Evidence, least: int) -> Iterator[tuple[str, float]]:
    """Give each slice that is large enough and where the metric is defined, by its name."""
    columns: dict[str, list[dict[str, Any]]] = evidence.metrics.get("slices") or {}
    for column, parts in columns.items():
        for part in parts:
            value = measured({"slice": part.get("metrics")}, "slice", evidence.primary_metric)
            if value is not None and int(part.get("rows") or 0) >= least:
                yield f"{column} {part.get('value')}", value
