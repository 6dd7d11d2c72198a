"""Keep what really happened, late and corrected labels included."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from features.ground.errors import bounded
from predictions.adapters.reads import near_their_times
from predictions.errors import InvalidRequestError, UnknownPredictionError
from predictions.models import Outcome, Prediction


@dataclass(frozen=True, kw_only=True, slots=True)
class OutcomeItem:
    """One label.

    Parameters
    ----------
    prediction_id : UUID
        The prediction it belongs to.
    actual : Any
        What happened: a class of the model, or a number.
    row : int
        Which row of the prediction, from 0.
    observed_at : datetime, optional
        When it happened; when it is recorded if None.
    known_at : datetime, optional
        When it became known here; when it is recorded if None.
    """

    prediction_id: UUID
    actual: Any
    row: int = 0
    observed_at: datetime | None = None
    known_at: datetime | None = None


def record_outcomes(items: Sequence[OutcomeItem], *, actor: str, models: Collection[str] | None = None) -> int:
    """Add labels to predictions; all or none, and none replaces an earlier one.

    Parameters
    ----------
    items : sequence of OutcomeItem
        Labels; the same row again is a correction.
    actor : str
        Who reports them.
    models : collection of str, optional
        The only models they may be of; any if None.

    Returns
    -------
    int
        How many were added; a report that is stored already is not counted.

    Raises
    ------
    UnknownPredictionError
        If a prediction is not in the log.
    InvalidRequestError
        If a row is not in its prediction, a label is no class of the model, or one row comes twice.
    """
    now = timezone.now()
    with transaction.atomic(durable=True):
        found = _predictions(items, models)
        outcomes = [_outcome(number, item, found[item.prediction_id], now, actor) for number, item in enumerate(items)]
        _check_distinct(outcomes)
        before = Outcome.objects.filter(prediction__in=found).count()
        Outcome.objects.bulk_create(outcomes, batch_size=500, ignore_conflicts=True)
        return Outcome.objects.filter(prediction__in=found).count() - before


def _predictions(items: Sequence[OutcomeItem], models: Collection[str] | None) -> dict[UUID, Prediction]:
    wanted = {item.prediction_id for item in items}
    rows = Prediction.objects.select_related("model_version").defer("inputs", "outputs")
    if models is not None:
        rows = rows.filter(model_version__model__name__in=models)
    found = {row.pk: row for row in near_their_times(rows, wanted)}
    found |= {row.pk: row for row in rows.filter(pk__in=wanted - found.keys())}
    if gone := sorted(str(key) for key in wanted - found.keys()):
        raise UnknownPredictionError(
            f"no prediction {', '.join(gone[:5])} is in the log; nothing was recorded", unknown=gone[:20]
        )
    return found


def _outcome(number: int, item: OutcomeItem, prediction: Prediction, now: datetime, actor: str) -> Outcome:
    if not 0 <= item.row < prediction.rows:
        raise InvalidRequestError(
            f"outcome {number}: the prediction has {prediction.rows} rows, counted from 0; got row {item.row}",
            outcome=number,
            row=item.row,
        )
    for when in (item.observed_at, item.known_at):
        if when is not None and when > now:
            raise InvalidRequestError(f"outcome {number}: {when.isoformat()} is in the future", outcome=number)
    _check_label(number, item.actual, prediction.model_version.output_schema)
    return Outcome(
        prediction=prediction,
        row=item.row,
        actual=item.actual,
        observed_at=item.observed_at or item.known_at or now,
        known_at=item.known_at or now,
        actor=actor,
    )


def _check_label(number: int, actual: Any, output_schema: dict[str, Any]) -> None:
    classes = output_schema.get("classes") or []
    if classes:
        if actual not in classes:
            allowed = f"one of {bounded(', '.join(map(repr, classes)), 200)}"
            raise InvalidRequestError(
                f"outcome {number}: actual must be {allowed}; got {bounded(actual, 60)}", outcome=number
            )
    elif isinstance(actual, bool) or not isinstance(actual, int | float) or actual != actual:
        raise InvalidRequestError(
            f"outcome {number}: actual must be a number; got {bounded(actual, 60)}", outcome=number
        )


def _check_distinct(outcomes: Sequence[Outcome]) -> None:
    seen = set()
    for number, outcome in enumerate(outcomes):
        if (key := (outcome.prediction_id, outcome.row, outcome.known_at)) in seen:
            raise InvalidRequestError(
                f"outcome {number}: row {outcome.row} of {outcome.prediction_id} comes twice", outcome=number
            )
        seen.add(key)
