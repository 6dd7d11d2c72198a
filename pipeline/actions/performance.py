"""Say how good served predictions were, as far as their outcomes are known."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Prefetch, Sum
from django.utils import timezone

from models_store.core.spec import parse_spec
from models_store.models import ModelVersion, RegisteredModel
from pipeline.core.performance import Labelled, VersionPerformance, served_metrics
from pipeline.errors import EmptyWindowError, InvalidMonitoringError
from predictions.models import Outcome, Prediction

MAX_HOURS = 24 * 366 * 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Performance:
    """What a model's served predictions were worth.

    Parameters
    ----------
    model : str
        The model's name.
    window_start, window_end : datetime
        When the predictions were made.
    known_at : datetime
        Outcomes reported later than this do not count.
    versions : list of VersionPerformance
        One for each version that answered, shadows included, the newest first.
    """

    model: str
    window_start: datetime
    window_end: datetime
    known_at: datetime
    versions: list[VersionPerformance]


def measure_performance(model: str, *, window_hours: float = 24 * 30, known_at: datetime | None = None) -> Performance:
    """Measure served predictions against the outcomes known at a time.

    Parameters
    ----------
    model : str
        `MODEL`, all versions that answered, or `MODEL@N`.
    window_hours : float
        How far back predictions count, in hours before `known_at`.
    known_at : datetime, optional
        As things were known then; now by default. Of several outcomes of a row, the one known last counts.

    Returns
    -------
    Performance
        Metrics by version.

    Raises
    ------
    UnknownModelError
        If there is no such model.
    EmptyWindowError
        If nothing was served in the window.
    InvalidMonitoringError
        If the window is out of range.
    """
    if not 0 < window_hours <= MAX_HOURS:
        raise InvalidMonitoringError(f"the window must be over 0 and at most {MAX_HOURS} hours; got {window_hours}")
    spec = parse_spec(model)
    known = RegisteredModel.objects.named(spec.model)
    end = known_at or timezone.now()
    start = end - timedelta(hours=window_hours)
    served = Prediction.objects.filter(at__gte=start, at__lte=end, model_version__model=known)
    if spec.number is not None:
        served = served.filter(model_version=ModelVersion.objects.resolve(model))
    numbers = served.order_by("-model_version__number").values_list("model_version", flat=True).distinct()
    versions = [
        _version(ModelVersion.objects.select_related("model").get(pk=key), start, end) for key in dict.fromkeys(numbers)
    ]
    if not versions:
        raise EmptyWindowError(f"{model} answered nothing from {start.isoformat()} to {end.isoformat()}", model=model)
    return Performance(model=spec.model, window_start=start, window_end=end, known_at=end, versions=versions)


def _version(version: ModelVersion, start: datetime, end: datetime) -> VersionPerformance:
    served = Prediction.objects.filter(at__gte=start, at__lte=end, model_version=version)
    labelled = list(_labelled(version, start, end))
    metrics = served_metrics(labelled, version.output_schema)
    test = version.metrics.get("test") or {}
    return VersionPerformance(
        version=str(version),
        rows=served.aggregate(rows=Sum("rows"))["rows"] or 0,
        labelled=len(labelled),
        metrics=metrics,
        test={name: test[name] for name in metrics if name in test},
    )


def _labelled(version: ModelVersion, start: datetime, end: datetime) -> Iterator[Labelled]:
    known = Outcome.objects.filter(known_at__lte=end).order_by("known_at", "pk")
    asked = Prediction.objects.filter(at__gte=start, at__lte=end, model_version=version, outcomes__known_at__lte=end)
    asked = asked.distinct().defer("inputs").prefetch_related(Prefetch("outcomes", queryset=known, to_attr="known"))
    for prediction in asked.order_by("at", "id").iterator(chunk_size=1000):
        # Later ones replace earlier ones: labels are corrected.
        latest: dict[int, Outcome] = {outcome.row: outcome for outcome in prediction.known}
        shares = prediction.outputs.get("probabilities")
        for row, outcome in sorted(latest.items()):
            yield Labelled(
                prediction=prediction.outputs["predictions"][row],
                probabilities=None if shares is None else shares[row],
                actual=outcome.actual,
            )
