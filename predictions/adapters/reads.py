"""Reads of the prediction log."""

from collections.abc import Collection
from uuid import UUID

from predictions.errors import UnknownPredictionError
from predictions.models import Prediction


def read_prediction(key: UUID, *, models: Collection[str] | None = None) -> Prediction:
    """Return a logged prediction with its version and outcomes; only of some models where they are given."""
    rows = Prediction.objects.select_related("model_version__model").prefetch_related("outcomes")
    found = rows.filter(pk=key).first()
    if found is None or (models is not None and found.model_version.model.name not in models):
        raise UnknownPredictionError(f"no prediction {key} is in the log", prediction_id=str(key))
    return found
