"""Reads of the prediction log."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.db.models import Max, Min, QuerySet, Sum

from features.ground.ordered_ids import made_at
from models_store.core.gates.known import Traffic
from predictions.errors import UnknownPredictionError
from predictions.models import Prediction

# How far the time a prediction was given may be from the time its id was made.
NEAR = timedelta(hours=1)


def near_their_times(rows: QuerySet[Prediction], keys: Collection[UUID]) -> QuerySet[Prediction]:
    """Return the rows of these ids that were given when their ids were made; all are, but for ids of another kind."""
    made = [at for at in map(made_at, keys) if at is not None]
    # Where the log is kept by days, only these are asked.
    return rows.filter(pk__in=keys, at__range=(min(made) - NEAR, max(made) + NEAR)) if made else rows.none()


def read_prediction(key: UUID, *, models: Collection[str] | None = None) -> Prediction:
    """Return a logged prediction with its version and outcomes; only of some models where they are given."""
    rows = Prediction.objects.select_related("model_version__model").prefetch_related("outcomes")
    found = near_their_times(rows, [key]).first() or rows.filter(pk=key).first()
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
