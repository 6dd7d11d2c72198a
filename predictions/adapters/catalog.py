"""What the registry and the metrics say about served models, for clients of other dialects."""

from typing import Any

from models_store.models import ModelVersion
from predictions import metrics
from predictions.adapters.loading import LoadedVersion
from predictions.adapters.serving import ModelStatus
from predictions.core.v2_answer import describe_tensors
from predictions.errors import NotLoadedByClientsError

PLATFORMS = {"onnx": "onnxruntime_onnx", "sklearn": "sklearn_joblib"}


def version_numbers(model: str) -> list[int]:
    """Return the numbers of a model's versions."""
    return list(ModelVersion.objects.filter(model__name=model).order_by("number").values_list("number", flat=True))


def described(loaded: LoadedVersion) -> dict[str, Any]:
    """Return the metadata of a version: its inputs and outputs, and which versions its model has."""
    tensors = describe_tensors(loaded.plan.columns, loaded.classes, bool(loaded.classes))
    versions = [str(number) for number in version_numbers(loaded.model)]
    return {"name": loaded.model, "versions": versions, "platform": PLATFORMS[loaded.engine], **tensors}


def listed(status: ModelStatus) -> dict[str, str]:
    """Return a model's line in the index of the repository."""
    if status.version is not None:
        return {"name": status.name, "version": str(status.version), "state": "READY", "reason": ""}
    reason = status.error or "no version is in production"
    return {"name": status.name, "state": "UNAVAILABLE", "reason": reason}


def not_loaded_by_clients(model: str) -> NotLoadedByClientsError:
    """Return the refusal to load or unload a model: promotion decides that, with its gates and its audit entry."""
    return NotLoadedByClientsError(
        f"promotion decides which version of {model} is loaded, a client never: "
        f"POST /api/v1/models/{model}/versions/N/promote, or /api/v1/models/{model}/rollback"
    )


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
