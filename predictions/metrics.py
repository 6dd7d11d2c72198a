"""The Prometheus metrics of serving; label values are bounded by what the server itself knows."""

import atexit
import os
from dataclasses import dataclass
from functools import cache, lru_cache

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, multiprocess

from predictions.noted import NotedCounter, NotedHistogram, NotedRequests, NotedRows, count_noted

FAST = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

http_requests_total = Counter("http_requests_total", "Requests answered.", ("method", "route", "status"))
http_request_duration_seconds = Histogram(
    "http_request_duration_seconds", "Time to answer a request.", ("method", "route"), buckets=FAST
)
http_errors_total = Counter("http_errors_total", "Answers of 400 and above.", ("route", "status"))
prediction_duration_seconds = Histogram(
    "prediction_duration_seconds", "Time to score a request, without parsing.", ("model",), buckets=FAST
)
request_duration_seconds_by_model = Histogram(
    "request_duration_seconds_by_model", "Time to answer a predict request.", ("model", "version"), buckets=FAST
)
model_load_duration_seconds = Histogram(
    "model_load_duration_seconds", "Time to read, verify and warm a model version.", ("model",)
)
prediction_confidence = Histogram(
    "prediction_confidence",
    "Highest class probability of a prediction.",
    ("model",),
    buckets=tuple(i / 20 for i in range(1, 21)),
)
feature_mean_value = Gauge(
    "feature_mean_value",
    "Mean of a served numeric feature over the last logged batch.",
    ("model", "feature"),
    multiprocess_mode="mostrecent",
)

model_load_failures_total = Counter("model_load_failures_total", "Versions that could not be loaded.", ("model",))
prediction_rows_total = Counter("prediction_rows_total", "Rows answered.", ("model", "version"))
prediction_cache_hits_total = Counter("prediction_cache_hits_total", "Answers taken from the cache.", ("model",))
prediction_log_accepted_total = NotedCounter(
    Counter("prediction_log_accepted_total", "Answers handed to the prediction log.")
)
# accepted = written + spooled + shed, once nothing waits in memory; spooled = restored + refused + what is on disk.
prediction_log_written_total = Counter(
    "prediction_log_written_total", "Answers written to the prediction log from memory."
)
prediction_log_spooled_total = Counter("prediction_log_spooled_total", "Answers put on disk, to be written later.")
prediction_log_restored_total = Counter("prediction_log_restored_total", "Answers written to the log from disk.")
prediction_log_refused_total = Counter("prediction_log_refused_total", "Answers on disk the database would never take.")
prediction_log_spool_bytes = Gauge(
    "prediction_log_spool_bytes", "What is on disk and waits for the database.", multiprocess_mode="mostrecent"
)
prediction_log_unsampled_total = Counter(
    "prediction_log_unsampled_total", "Answers left out of the log by its sampling."
)
prediction_log_shed_total = Counter("prediction_log_shed_total", "Answers the log had no room for or could not keep.")
canary_fallbacks_total = Counter(
    "canary_fallbacks_total", "Requests production answered because the canary had no answer.", ("model",)
)
shadow_dropped_total = Counter("shadow_dropped_total", "Requests the shadow's queue had no room for.", ("model",))
shadow_errors_total = Counter("shadow_errors_total", "Requests the shadow had no answer for.", ("model",))
rate_limited_total = Counter("rate_limited_total", "Requests over a rate limit.", ("scope",))
overloaded_total = Counter("overloaded_total", "Requests answered 503 at the door: too much in progress.", ("reason",))
rate_limit_fallback_total = Counter("rate_limit_fallback_total", "Limit checks counted here because Redis was away.")


def registry() -> CollectorRegistry:
    """Return the metrics of all processes of this installation."""
    count_noted()
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    found = CollectorRegistry()
    multiprocess.MultiProcessCollector(found)
    return found


METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    known = method if method in METHODS else "other"
    meters = route_meters(known, route, status)
    meters.note(seconds)
    if status >= 400:
        http_errors_total.labels(route, str(status)).inc()


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionMeters:
    """The metrics of one model version, bound once so that a request does not look them up."""

    scoring: NotedHistogram
    request: NotedHistogram
    confidence: NotedHistogram
    cache_hits: NotedCounter
    rows: NotedCounter
    alone: NotedRows


@cache
def _noted_counter(metric: Counter, *labels: str) -> NotedCounter:
    return NotedCounter(metric.labels(*labels))


@cache
def _noted_histogram(metric: Histogram, *labels: str) -> NotedHistogram:
    return NotedHistogram(metric.labels(*labels))


@cache
def _noted_rows(model: str, version: str) -> NotedRows:
    return NotedRows(
        prediction_rows_total.labels(model, version),
        prediction_duration_seconds.labels(model),
        request_duration_seconds_by_model.labels(model, version),
        prediction_confidence.labels(model),
    )


@lru_cache(maxsize=4096)
def feature_mean(model: str, feature: str) -> Gauge:
    """Return the bound mean of a feature."""
    return feature_mean_value.labels(model, feature)


def meters(model: str, version: int) -> VersionMeters:
    """Return the bound metrics of a version."""
    return VersionMeters(
        scoring=_noted_histogram(prediction_duration_seconds, model),
        request=_noted_histogram(request_duration_seconds_by_model, model, str(version)),
        confidence=_noted_histogram(prediction_confidence, model),
        cache_hits=_noted_counter(prediction_cache_hits_total, model),
        rows=_noted_counter(prediction_rows_total, model, str(version)),
        alone=_noted_rows(model, str(version)),
    )


@cache
def route_meters(method: str, route: str, status: int) -> NotedRequests:
    """Return the bound metrics of a route the server itself names."""
    return NotedRequests(
        http_requests_total.labels(method, route, str(status)), http_request_duration_seconds.labels(method, route)
    )


atexit.register(count_noted)
