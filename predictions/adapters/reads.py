"""Reads of the prediction log."""

from uuid import UUID

from predictions.errors import UnknownPredictionError
from predictions.models import Prediction


def read_prediction(key: UUID) -> Prediction:
    """Return a logged prediction with its version and outcomes."""
    rows = Prediction.objects.select_related("model_version__model").prefetch_related("outcomes")
    found = rows.filter(pk=key).first()
    if found is None:
        raise UnknownPredictionError(f"no prediction {key} is in the log", prediction_id=str(key))
    return found
