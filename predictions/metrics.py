"""The Prometheus metrics of serving; label values are bounded by what the server itself knows."""

from prometheus_client import Counter, Gauge, Histogram

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

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    known = method if method in METHODS else "other"
    http_requests_total.labels(known, route, str(status)).inc()
    http_request_duration_seconds.labels(known, route).observe(seconds)
    if status >= 400:
        http_errors_total.labels(route, str(status)).inc()
