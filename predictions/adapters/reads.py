"""Reads of the prediction log."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.db.models import Max, Min, Sum

from features.ground.ordered_ids import made_at
from models_store.core.gates.known import Traffic
from predictions.errors import UnknownPredictionError
from predictions.models import Prediction

# How far the time a prediction was given may be from the time its id was made.
NEAR = timedelta(hours=1)


def read_prediction(key: UUID, *, models: Collection[str] | None = None) -> Prediction:
    """Return a logged prediction with its version and outcomes; only of some models where they are given."""
    rows = Prediction.objects.select_related("model_version__model").prefetch_related("outcomes")
    found = None
    if (made := made_at(key)) is not None:
        # Where the log is kept by days, only these are asked.
        found = rows.filter(pk=key, at__range=(made - NEAR, made + NEAR)).first()
    found = found or rows.filter(pk=key).first()
    if found is None or (models is not None and found.model_version.model.name not in models):
        raise UnknownPredictionError(f"no prediction {key} is in the log", prediction_id=str(key))
    return found


def trial_traffic(version_id: int) -> Traffic:
    """Return what a version has answered in shadow or as canary."""
    tried = Prediction.objects.filter(
        model_version=version_id, role__in=(Prediction.Role.SHADOW, Prediction.Role.CANARY)
    )
    found = tried.aggregate(rows=Sum("rows"), first=Min("at"), last=Max("at"))
    if not found["rows"]:
        return Traffic()
    return Traffic(rows=found["rows"], hours=(found["last"] - found["first"]).total_seconds() / 3600)
