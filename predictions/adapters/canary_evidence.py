"""What the prediction log knows of a canary."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from statistics import median
from typing import Any
from uuid import UUID

import numpy as np

from models_store.models import ModelVersion, Stage
from predictions.core.canary import Seen, loss_difference
from predictions.errors import NotFiniteError
from predictions.models import Outcome, Prediction

# After so many observations without harm a guard has seen enough.
MOST = 20_000
PRODUCTION_SAMPLE = 2000
CHUNK = 500


def gather_seen(canary: ModelVersion) -> Seen:
    """Return what is known of a canary since it took that stage, in the order in which it was stored."""
    since = canary.stage_changed_at or canary.created_at
    answered = Prediction.objects.filter(model_version=canary, role=Prediction.Role.CANARY, at__gte=since)
    others = Prediction.objects.filter(
        model_version__model=canary.model_id, role=Prediction.Role.PRODUCTION, at__gte=since
    )
    order = ("created_at", "id")
    failed = others.exclude(fallback="")
    both = sorted(
        [
            *((made, key, 0.0) for made, key in answered.order_by(*order).values_list(*order)[:MOST]),
            *((made, key, 1.0) for made, key in failed.order_by(*order).values_list(*order)[:MOST]),
        ]
    )
    theirs = _latencies(others.filter(fallback="").order_by("-at"), PRODUCTION_SAMPLE)
    return Seen(
        failures=np.array([failure for _, _, failure in both[:MOST]], dtype=np.float64),
        not_finite=failed.filter(fallback=NotFiniteError.code).count(),
        latencies_ms=np.array(_latencies(answered.order_by(*order), MOST), dtype=np.float64),
        production_ms=median(theirs) if theirs else None,
        differences=np.array(list(_differences(canary)), dtype=np.float64),
    )


def _latencies(rows: Any, most: int) -> list[float]:
    # Of a stream's rows each has the time of its whole poll.
    asked = rows.filter(source=Prediction.Source.API).values_list("latency_ms", "rows")
    return [latency / count for latency, count in asked[:most]]


def _differences(canary: ModelVersion) -> Iterator[float]:
    """Yield the difference of losses of each row whose outcome is known, by the first report of it."""
    classes = canary.output_schema.get("classes") or []
    known = Outcome.objects.filter(prediction__model_version=canary, prediction__role=Prediction.Role.CANARY)
    names = ("prediction", "row", "actual", "prediction__request_id", "prediction__outputs")
    reports = iter(known.order_by("id").values_list(*names)[:MOST])
    first: set[tuple[UUID, int]] = set()
    while chunk := list(islice(reports, CHUNK)):
        beside = _beside(canary, [request_id for _, _, _, request_id, _ in chunk])
        for key, row, actual, _, outputs in chunk:
            if (key, row) in first or str(key) not in beside:
                continue
            first.add((key, row))
            found = loss_difference(outputs, beside[str(key)], row, actual, classes)
            if found is not None:
                yield found


def _beside(canary: ModelVersion, request_ids: Sequence[str]) -> dict[str, Any]:
    """Return what production answered beside the canary, by the canary's prediction id."""
    production = ModelVersion.objects.filter(model=canary.model_id, stage=Stage.PRODUCTION)
    rows: Iterable[tuple[Any, Any]] = Prediction.objects.filter(
        role=Prediction.Role.SHADOW, request_id__in=set(request_ids), model_version__in=production
    ).values_list("route", "outputs")
    return {str(route.get("beside")): outputs for route, outputs in rows}
