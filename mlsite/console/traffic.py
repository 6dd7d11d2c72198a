"""How many predictions there were and how fast, read in bounded time however many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from predictions.metrics import registry
from predictions.models import Prediction

HOURS = 24
SAMPLE = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """One hour of requests; latencies are None where there was none."""

    start: datetime
    requests: int
    p50_ms: float | None
    p95_ms: float | None


def answered(since: datetime, until: datetime) -> QuerySet[Prediction]:
    """Return the predictions a client got; shadow scoring is nobody's answer."""
    return Prediction.objects.filter(at__gte=since, at__lt=until).exclude(role=Prediction.Role.SHADOW)


def hourly(now: datetime) -> list[Bucket]:
    """Return the last 24 hours, the oldest first; latencies are of each hour's newest API requests."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    starts = [this_hour - timedelta(hours=HOURS - 1 - back) for back in range(HOURS)]
    return [_bucket(start) for start in starts]


def _bucket(start: datetime) -> Bucket:
    rows = answered(start, start + timedelta(hours=1))
    count = rows.count()
    sample = _latencies(rows) if count else []
    return Bucket(start=start, requests=count, p50_ms=percentile(sample, 0.5), p95_ms=percentile(sample, 0.95))


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value that `share` of the values don't exceed, or None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def asked(version_id: int, now: datetime) -> int:
    """Return how often a version was asked in the last 24 hours."""
    return Prediction.objects.filter(model_version=version_id, at__gte=now - timedelta(hours=HOURS)).count()


def newest_latencies(version_id: int) -> list[float]:
    """Return the scoring times of a version's newest predictions."""
    return _latencies(Prediction.objects.filter(model_version=version_id))


def _latencies(rows: QuerySet[Prediction]) -> list[float]:
    # Rows of a stream share the time of the whole poll they were scored in: it is nobody's waiting time.
    asked = rows.filter(source=Prediction.Source.API).order_by("-at")
    return list(asked.values_list("latency_ms", flat=True)[:SAMPLE])


def api_answers() -> tuple[int, int]:
    """Return how many answers the API gave since the server started, over all its processes, and how many were 5xx."""
    answers = faults = 0
    for family in registry().collect():
        if family.name != "http_requests":
            continue
        for sample in family.samples:
            if sample.name == "http_requests_total" and not sample.labels["route"].startswith("admin/"):
                answers += int(sample.value)
                faults += int(sample.value) if sample.labels["status"].startswith("5") else 0
    return answers, faults
