"""Versions of a model side by side: what they were trained with against what came of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What a person chose, by its place in a version's params; the rest follows from it.
CHOSEN = {
    "target": ("target",),
    "seed": ("seed",),
    "split": ("split", "kind"),
    "test_size": ("split", "test_size"),
    "class_weight": ("class_weight",),
    "calibration": ("calibration",),
    "threshold_goal": ("threshold", "goal"),
    "tuned": ("search", "asked"),
    "views": ("views",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What is compared of one version.

    Attributes
    ----------
    version : int
        Its number.
    stage, estimator : str
        Where it stands, and what it is.
    params, metrics : mapping
        As the version keeps them.
    snapshot : int or None
        What it was trained on.
    """

    version: int
    stage: str
    estimator: str
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]
    snapshot: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """One line of the comparison.

    Attributes
    ----------
    version : int
        Its number.
    stage, estimator : str
        Where it stands, and what it is.
    params : dict
        Only those that somebody has set and in which the versions differ; one the version doesn't have is left out.
    metrics : dict of str to float
        Of its test rows.
    intervals : dict of str to list of two floats
        The middle 95 percent of each.
    snapshot : int or None
        What it was trained on.
    test_rows : str
        Equal for versions that were tested on the same rows, so that their metrics can be compared; empty if unknown.
    """

    version: int
    stage: str
    estimator: str
    params: dict[str, Any]
    metrics: dict[str, float]
    intervals: dict[str, list[float]]
    snapshot: int | None
    test_rows: str


def side_by_side(versions: Sequence[Trained]) -> list[Experiment]:
    """Compare versions of a model.

    Parameters
    ----------
    versions : sequence of Trained
        In the order they are to be shown.

    Returns
    -------
    list of Experiment
        One for each, in the same order.
    """
    searched = dict.fromkeys(name for one in versions for name in _set_by_somebody(one.params))
    given = [dict(_chosen(one.params, searched)) for one in versions]
    names = dict.fromkeys(name for params in given for name in params)
    first = given[0] if given else {}
    # 1 and True are equal to Python, and are not the same parameter.
    differ = [name for name in names if any(repr(params.get(name)) != repr(first.get(name)) for params in given)]
    return [
        Experiment(
            version=one.version,
            stage=one.stage,
            estimator=one.estimator,
            params={name: params[name] for name in differ if name in params},
            metrics=dict(one.metrics.get("test") or {}),
            intervals=dict((one.metrics.get("intervals") or {}).get("test") or {}),
            snapshot=one.snapshot,
            test_rows=_test_rows(one),
        )
        for one, params in zip(versions, given, strict=True)
    ]


def _set_by_somebody(params: Mapping[str, Any]) -> Iterator[str]:
    """Return the estimator's parameters that a person or a search has set; the others are its own affair."""
    yield from params.get("given_params") or ()
    search = params.get("search")
    yield from search["best"]["params"] if search else ()


def _chosen(params: Mapping[str, Any], of_estimator: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for name, path in CHOSEN.items():
        found: Any = params
        for part in path:
            found = found.get(part) if isinstance(found, Mapping) else None
        if found not in (None, []):
            yield name, found
    values = params.get("estimator_params") or {}
    yield from ((name, values[name]) for name in of_estimator if name in values)


def _test_rows(one: Trained) -> str:
    split = one.params.get("split")
    found = split.get("test_rows_digest") if isinstance(split, Mapping) else None
    return f"{one.snapshot}:{str(found)[:12]}" if found and one.snapshot is not None else ""
