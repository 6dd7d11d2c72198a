"""What the pages of a model and its versions show."""

import json
from collections.abc import Sequence
from typing import Any

from features.ground.console import ago, number
from features.ground.errors import bounded
from features.ground.panels import Facts, Table
from features.ground.unfold import badge
from models_store.admin.drawings import interval
from models_store.models import GateResult, ModelVersion

STAGE_KINDS = {
    "production": "success",
    "canary": "warning",
    "shadow": "info",
    "candidate": "primary",
    "archived": "",
    "rejected": "danger",
}
HIGHER_IS_BETTER = {"roc_auc", "accuracy", "r2", "f1", "precision", "recall", "average_precision"}
SLICE_METRICS = 3
PARTS = (("test", "This version"), ("linear_baseline", "Linear baseline"), ("baseline", "Baseline"))


def pretty(value: Any) -> str:
    """Return stored JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False) if value else "nothing"


def stage_badge(stage: str) -> Any:
    """Return a stage as a label."""
    return badge(stage, STAGE_KINDS.get(stage, ""))


def metric(version: ModelVersion, name: str, part: str = "test") -> Any:
    """Return one metric of one part, or None where it wasn't measured."""
    measured = version.metrics.get(part)
    return measured.get(name) if isinstance(measured, dict) else None


def compared(version: ModelVersion, name: str) -> str:
    """Return the metric beside what the baselines got, and which is better."""
    ours = metric(version, name)
    if not isinstance(ours, int | float):
        return "not measured"
    words = [f"{number(ours)} on held-out rows"]
    for part, label in PARTS[1:]:
        theirs = metric(version, name, part)
        if isinstance(theirs, int | float):
            words.append(f"{held_against(ours, theirs, name)} the {label.lower()}'s {number(theirs)}")
    return "; ".join(words)


def held_against(ours: float, theirs: float, name: str) -> str:
    """Return whether a value of a metric is better than another, in words."""
    if ours == theirs:
        return "the same as"
    return "better than" if (ours > theirs) == (name in HIGHER_IS_BETTER) else "worse than"


def summary(version: ModelVersion, note: str) -> Facts:
    """Return what a person wants to know first about a version; the note says what comes next."""
    primary = version.model.primary_metric
    engine = version.engine + (f": {version.engine_reason}" if version.engine_reason else "")
    return Facts(
        title=f"{version}",
        note=note,
        wide=True,
        pairs=[
            ("Stage", stage_badge(version.stage)),
            (spaced(primary), compared(version, primary)),
            ("Estimator", version.estimator),
            ("Served by", engine),
            *([("Threshold", threshold_said(version))] if version.output_schema.get("threshold") else []),
            ("In this stage since", ago(version.stage_changed_at or version.created_at)),
            ("Made", ago(version.created_at)),
            ("By", version.actor),
        ],
    )


def threshold_said(version: ModelVersion) -> str:
    """Return from which probability on a row gets the second label, and what that was chosen for."""
    goal = (version.params.get("threshold") or {}).get("goal")
    said = f"{bounded(version.output_schema['classes'][1], 60)} from {number(version.output_schema['threshold'])} on"
    return f"{said}, chosen for {goal}" if goal else said


def metrics_table(version: ModelVersion) -> Table:
    """Return every metric beside the baselines'."""
    names = list(dict.fromkeys(name for part, _ in PARTS for name in (version.metrics.get(part) or {})))
    within = (version.metrics.get("intervals") or {}).get("test") or {}
    rows = [
        (
            f"{name.replace('_', ' ')} {'↑' if name in HIGHER_IS_BETTER else '↓'}",
            number(metric(version, name)),
            interval(within.get(name)),
            *cells(version, name)[1:],
        )
        for name in names
    ]
    counts = version.metrics.get("rows")
    known = counts.items() if isinstance(counts, dict) else ()
    note = ", ".join(f"{spaced(part)} {number(count)}" for part, count in known if count)
    return Table(
        title="Metrics",
        note=f"Rows: {note}." if note else "",
        headers=("Metric", PARTS[0][1], "95 % interval", *(label for _, label in PARTS[1:])),
        rows=rows,
        empty="None measured.",
    )


def cells(version: ModelVersion, name: str) -> list[str]:
    """Return one metric of each part."""
    return [number(metric(version, name, part)) for part, _ in PARTS]


def newest_results(version: ModelVersion) -> list[GateResult]:
    """Return the newest evaluation of the version's gates, those that failed first."""
    newest = version.gate_results.order_by("-created_at", "-id").first()
    return list(version.gate_results.filter(evaluation=newest.evaluation).order_by("passed", "gate")) if newest else []


def gates_table(version: ModelVersion) -> Table:
    """Return the newest evaluation of the version's gates."""
    results = newest_results(version)
    passed = {True: badge("passed", "success"), False: badge("failed", "danger")}
    rows = [(passed[r.passed], spaced(r.gate), r.observed, r.threshold) for r in results]
    note = f"For {results[0].target_stage}, {results[0].created_at:%Y-%m-%d %H:%M} UTC." if results else ""
    empty = f"Not evaluated yet. Next: More, Evaluate gates; or manage.py gates {version}"
    return Table(title="Gates", note=note, headers=("", "Gate", "Observed", "Threshold"), rows=rows, empty=empty)


def slice_tables(version: ModelVersion) -> list[Table]:
    """Return a table for each column whose slices were measured."""
    return [slice_table(version, column, slices) for column, slices in (version.metrics.get("slices") or {}).items()]


def slice_table(version: ModelVersion, column: str, slices: Sequence[dict[str, Any]]) -> Table:
    """Return the metrics of each value of a column: the one that decides, then a few more."""
    measured = dict.fromkeys(name for part in slices for name in part["metrics"])
    names = sorted(measured, key=lambda name: name != version.model.primary_metric)[:SLICE_METRICS] or [
        version.model.primary_metric
    ]
    rows = [
        (
            str(part.get("value")),
            number(part.get("rows")),
            *(number(part.get("metrics", {}).get(name)) for name in names[:1]),
            interval((part.get("intervals") or {}).get(names[0])),
            *(number(part.get("metrics", {}).get(name)) for name in names[1:]),
        )
        for part in slices
    ]
    headers = ("Value", "Rows", *map(spaced, names[:1]), "95 % interval", *map(spaced, names[1:]))
    return Table(
        title=f"By {column}",
        note="Groups of at least 50 test rows.",
        headers=headers,
        rows=rows,
        empty="No group is large enough.",
    )


def spaced(name: str) -> str:
    """Return a stored name as words."""
    return name.replace("_", " ")


def plain(value: Any) -> str:
    """Return a stored value as text."""
    if isinstance(value, list):
        return ", ".join(map(plain, value)) or "none"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else number(value)
