"""What the registry and the metrics say about served models, for clients of other dialects."""

from typing import Any

from models_store.models import ModelVersion
from predictions import metrics


def version_numbers(model: str) -> list[int]:
    """Return the numbers of a model's versions."""
    return list(ModelVersion.objects.filter(model__name=model).order_by("number").values_list("number", flat=True))


def counted() -> list[dict[str, Any]]:
    """Return what each version answered since the server started: requests, their nanoseconds, and rows."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    wanted = {metrics.request_duration_seconds_by_model._name, metrics.prediction_rows_total._name}
    for family in metrics.registry().collect():
        for sample in family.samples if family.name in wanted else ():
            if "le" not in sample.labels and not sample.name.endswith("_created"):
                key = (sample.labels["model"], sample.labels["version"])
                found.setdefault(key, {})[sample.name.removeprefix(f"{family.name}_")] = sample.value
    return [
        {
            "name": model,
            "version": version,
            "inference_count": int(values.get("total", 0)),
            "execution_count": int(values.get("count", 0)),
            "inference_stats": {
                "success": {"count": int(values.get("count", 0)), "ns": int(values.get("sum", 0) * 1e9)}
            },
        }
        for (model, version), values in sorted(found.items())
    ]
