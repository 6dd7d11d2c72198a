"""What a version's page draws of its measured rows."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from features.ground.console import number
from features.ground.errors import bounded
from features.ground.panels import Chart, Panel, Table
from models_store.models import ModelVersion

BARS = 15
TRIALS = 15


def measured_panels(version: ModelVersion) -> list[Panel]:
    """Return the drawings and tables of whatever was measured, in the order a person looks at them."""
    kept = version.metrics
    curves = kept.get("curves") or {}
    residuals = curves.get("residuals") or {}
    found: list[Panel | None] = [
        calibration_chart(version) if kept.get("calibration") else None,
        roc_chart(curves["roc"], version) if "roc" in curves else None,
        precision_recall_chart(curves["precision_recall"]) if "precision_recall" in curves else None,
        confusion_table(curves["confusion"], version) if "confusion" in curves else None,
        residuals_chart(residuals) if residuals else None,
        bands_chart(residuals["bands"]) if residuals else None,
        importance_chart(kept["importance"]) if kept.get("importance") else None,
        folds_table(kept["cross_validation"]) if kept.get("cross_validation") else None,
        search_table(version.params["search"]) if version.params.get("search") else None,
    ]
    return [panel for panel in found if panel is not None]


def calibration_chart(version: ModelVersion) -> Chart:
    """Return predicted probability against what came true, beside the ideal."""
    curve = version.metrics.get("calibration") or {}
    predicted, observed = curve.get("predicted", []), curve.get("observed", [])
    error = (version.metrics.get("test") or {}).get("calibration_error")
    return Chart(
        title="Calibration",
        note="When it says 30 %, does it come true 30 % of the time? On the dashed line it does.",
        labels=[f"{value:.2f}" for value in predicted],
        series={"observed": observed, "ideal": predicted},
        dashed=("ideal",),
        x_title="predicted probability",
        y_title="observed share",
        summary=f"Calibration error {number(error)}." if error is not None else "",
    )


def roc_chart(curve: Mapping[str, Any], version: ModelVersion) -> Chart:
    """Return the share of rows found against the share of false calls."""
    rate = curve["false_positive_rate"]
    area = (version.metrics.get("test") or {}).get("roc_auc")
    return Chart(
        title="ROC",
        note="How many of the rows it looks for are found, for how many called by mistake; the dashed line is chance.",
        labels=[f"{value:.2f}" for value in rate],
        series={"found": curve["true_positive_rate"], "chance": rate},
        dashed=("chance",),
        x_title="false positive rate",
        y_title="true positive rate",
        bounds=(0.0, 1.0),
        summary=f"Area under the curve {number(area)}." if area is not None else "",
    )


def precision_recall_chart(curve: Mapping[str, Any]) -> Chart:
    """Return the share of calls that are right against the share of rows found."""
    return Chart(
        title="Precision and recall",
        note="Of the rows it calls, how many are right, as it is made to find more of them.",
        labels=[f"{value:.2f}" for value in curve["recall"]],
        series={"precision": curve["precision"]},
        x_title="recall",
        y_title="precision",
        bounds=(0.0, 1.0),
        summary=f"Average precision {number(curve['average_precision'])}.",
    )


def confusion_table(found: Mapping[str, Any], version: ModelVersion) -> Table:
    """Return how many rows of each class were called what."""
    classes = [bounded(label, 40) for label in found["classes"]]
    threshold = version.output_schema.get("threshold")
    rule = f"{classes[1]} from a probability of {number(threshold)} on" if threshold else "by the most probable class"
    return Table(
        title="Confusion",
        note=f"Test rows by their class, called {rule}.",
        headers=("True class", *(f"called {label}" for label in classes), "right"),
        rows=[
            (label, *map(number, counts), _share(counts[at], sum(counts)))
            for at, (label, counts) in enumerate(zip(classes, found["counts"], strict=True))
        ],
    )


def residuals_chart(found: Mapping[str, Any]) -> Chart:
    """Return how many test rows are how far from their prediction."""
    edges = found["edges"]
    return Chart(
        title="Residuals",
        note="Actual minus predicted value, in the target's unit; right of 0 the model said too little.",
        labels=[number((low + high) / 2) for low, high in pairwise(edges)],
        series={"rows": found["counts"]},
        kind="bar",
        x_title="actual − predicted",
        y_title="rows",
    )


def bands_chart(bands: Mapping[str, Any]) -> Chart:
    """Return the residuals' spread along the predicted value."""
    return Chart(
        title="Residuals by prediction",
        note="Eight of ten rows lie between the outer lines. A middle line that bends shows what the model misses.",
        labels=[number(value) for value in bands["predicted"]],
        series={"90 %": bands["high"], "median": bands["median"], "10 %": bands["low"]},
        x_title="predicted",
        y_title="actual − predicted",
    )


def importance_chart(found: Mapping[str, Any]) -> Chart:
    """Return how much worse the model gets without each column."""
    shown = list(found["features"].items())[:BARS]
    metric = str(found["metric"]).replace("_", " ")
    first = f"{shown[0][0]} matters most: {metric} rises by {number(shown[0][1]['mean'])} without it." if shown else ""
    return Chart(
        title="What it looks at",
        note=f"How much {metric} rises when a column is shuffled, on {number(found['rows'])} validation rows.",
        labels=[bounded(name, 24) for name, _ in shown],
        series={f"rise of {metric}": [value["mean"] for _, value in shown]},
        kind="bar",
        y_title=f"rise of {metric}",
        summary=first,
    )


def folds_table(found: Mapping[str, Any]) -> Table:
    """Return each metric over the folds of the training part."""
    rows = [
        (name.replace("_", " "), number(mean), number(found["sd"].get(name)), *_ends(found["scores"], name))
        for name, mean in found["mean"].items()
    ]
    return Table(
        title="Cross-validation",
        note=f"{found['folds']} folds of the training part, cut by the same rule ({found['kind']}).",
        headers=("Metric", "Mean", "Standard deviation", "Lowest", "Highest"),
        rows=rows,
    )


def search_table(search: Mapping[str, Any]) -> Table:
    """Return the settings that went furthest, the chosen one first."""
    best = search["best"]
    others = [trial for trial in search["trials"] if trial != best]
    others.sort(key=lambda trial: (-trial["round"], trial["score"] is None))
    metric = str(search["metric"]).replace("_", " ")
    rows = [(_setting(trial["params"]), number(trial["score"]), number(trial["rows"])) for trial in [best, *others]]
    return Table(
        title="Search",
        note=f"{search['asked']} settings by {search['method']}, judged on {search['judged_on']}; the first was taken.",
        headers=("Setting", metric, "Rows"),
        rows=rows[:TRIALS],
        wide=True,
    )


def interval(ends: Any) -> str:
    """Return an interval as people read it."""
    return f"{number(ends[0])} to {number(ends[1])}" if ends else "–"


def _ends(scores: Sequence[Mapping[str, float]], name: str) -> tuple[str, str]:
    known = [score[name] for score in scores if name in score]
    return number(min(known)), number(max(known))


def _setting(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in params.items())


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "–"
