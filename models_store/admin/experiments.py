"""A model's versions side by side."""

from collections.abc import Sequence
from typing import Any

from django.urls import reverse

from features.ground.console import link, number
from features.ground.panels import Chart, Panel, Table
from models_store.admin.drawings import interval
from models_store.admin.panels import HIGHER_IS_BETTER, plain, spaced, stage_badge
from models_store.core.experiments import Experiment
from models_store.models import RegisteredModel
from models_store.presenting import experiments

METRICS = 6


def experiments_page(model: RegisteredModel) -> str:
    """Return the address of the page."""
    return reverse("admin:models_store_registeredmodel_experiments", args=[model.pk])


def experiments_panels(model: RegisteredModel) -> list[Panel]:
    """Return a picture of the metric that decides, then parameters against metrics."""
    found = experiments(model)
    return [primary_chart(model.primary_metric, found), metrics_table(model, found), params_table(model, found)]


def primary_chart(name: str, found: Sequence[Experiment]) -> Chart:
    """Return the metric that decides over the versions, between the ends of its interval."""
    known = [one for one in reversed(found) if name in one.metrics]
    ends: list[Sequence[float | None]] = [one.intervals.get(name) or (None, None) for one in known]
    better = "higher" if name in HIGHER_IS_BETTER else "lower"
    return Chart(
        title=spaced(name),
        note=f"On test rows, {better} is better; the dashed lines are the ends of the 95 % interval.",
        labels=[f"@{one.version} {one.estimator}" for one in known],
        series={
            spaced(name): [one.metrics[name] for one in known],
            "95 % from": [low for low, _ in ends],
            "95 % to": [high for _, high in ends],
        },
        dashed=("95 % from", "95 % to"),
        wide=True,
    )


def metrics_table(model: RegisteredModel, found: Sequence[Experiment]) -> Table:
    """Return each version's metrics; which rows they come from is told by a letter."""
    names = list(dict.fromkeys([model.primary_metric, *(name for one in found for name in one.metrics)]))[:METRICS]
    letters = {rows: chr(ord("A") + at % 26) for at, rows in enumerate(dict.fromkeys(one.test_rows for one in found))}
    versions = {version.number: version for version in model.versions.select_related("model")}
    rows = [
        (
            link(versions[one.version]),
            stage_badge(one.stage),
            one.estimator,
            letters[one.test_rows] if one.test_rows else "–",
            *(_measured(one, name) for name in names),
        )
        for one in found
    ]
    return Table(
        title="Metrics",
        note="Versions with the same letter were tested on the same rows; the metrics of others are not comparable.",
        headers=("Version", "Stage", "Estimator", "Test rows", *map(spaced, names)),
        rows=rows,
        wide=True,
        empty=f"No versions yet. Next: manage.py train {model.name} --dataset DATASET",
    )


def params_table(model: RegisteredModel, found: Sequence[Experiment]) -> Table:
    """Return the parameters in which the versions differ beside the metric that decides."""
    names = list(dict.fromkeys(name for one in found for name in one.params))
    primary = model.primary_metric
    rows = [
        (f"@{one.version}", number(one.metrics.get(primary)), *(_said(one.params.get(name)) for name in names))
        for one in found
    ]
    headers = ("Version", spaced(primary), *map(spaced, names))
    title = "Parameters in which they differ"
    return Table(title=title, headers=headers, rows=rows if names else [], wide=True, empty="In none.")


def _measured(one: Experiment, name: str) -> str:
    ends = one.intervals.get(name)
    return f"{number(one.metrics.get(name))} ({interval(ends)})" if ends else number(one.metrics.get(name))


def _said(value: Any) -> str:
    return "–" if value is None else plain(value)
