"""Predict again from what was recorded, and compare."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from predictions import engine
from predictions.adapters.reads import read_prediction
from predictions.adapters.scoring import score_frame
from predictions.core.replay import SKLEARN_TOLERANCE, frame_of, is_same
from predictions.errors import PredictionsError
from predictions.models import Prediction


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """What came of predicting again.

    Parameters
    ----------
    equal : bool
        Whether every prediction that could be checked came out as recorded.
    checked : int
        How many were predicted again.
    different : tuple of str
        Ids of those that came out otherwise.
    not_checked : dict
        Why the others could not be checked, by id.
    """

    equal: bool
    checked: int
    different: tuple[str, ...]
    not_checked: dict[str, str]


def replay(key: UUID) -> Replayed:
    """Predict one recorded prediction again.

    Parameters
    ----------
    key : UUID
        Its id.

    Returns
    -------
    Replayed
        Whether the bytes are equal; for a version served by scikit-learn, whether the numbers are within 1e-12.

    Raises
    ------
    UnknownPredictionError
        If it is not in the log.
    """
    return _replayed([read_prediction(key)])


def replay_sample(count: int) -> Replayed:
    """Predict a random sample of the log again.

    Parameters
    ----------
    count : int
        How many predictions.

    Returns
    -------
    Replayed
        What came of it; points of time are drawn, so that the size of the log does not matter.
    """
    rows = Prediction.objects.select_related("model_version__model").order_by("id")
    drawn = {row.pk: row for row in rows[: count + 1]}
    if len(drawn) <= count:
        return _replayed(list(drawn.values()))
    # Ids begin with their time. Where the same row is drawn again and again, the first ones make it up to the number.
    first, last, found = next(iter(drawn)).int, rows.reverse()[0].pk.int, dict[UUID, Prediction]()
    for _ in range(3 * count):
        if len(found) == count:
            break
        row = rows.filter(id__gte=UUID(int=first + secrets.randbelow(last - first + 1)))[0]
        found[row.pk] = row
    return _replayed(list((found | drawn).values())[:count])


def _replayed(rows: Iterable[Prediction]) -> Replayed:
    checked, different, skipped = 0, [], {}
    for row in rows:
        try:
            same = _is_same(row)
        except PredictionsError as error:
            skipped[str(row.pk)] = error.message
            continue
        if same is None:
            skipped[str(row.pk)] = "personal columns were not recorded"
            continue
        checked += 1
        different += [] if same else [str(row.pk)]
    return Replayed(equal=not different, checked=checked, different=tuple(different), not_checked=skipped)


def _is_same(row: Prediction) -> bool | None:
    version = row.model_version
    loaded = engine.version(version.model.name, version.number)
    frame = frame_of(loaded.plan.columns, row.columns, _cells(row.inputs, row.columns))
    if frame is None:
        return None
    scored = score_frame(loaded, frame)
    again: dict[str, Any] = {"predictions": scored.predictions}
    if scored.probabilities is not None:
        again["probabilities"] = scored.probabilities
    return is_same(row.outputs, again, tolerance=0.0 if loaded.engine == "onnx" else SKLEARN_TOLERANCE)


def _cells(rows: Sequence[Any], names: Sequence[str]) -> list[list[Any]]:
    return [[row.get(name) for name in names] if isinstance(row, dict) else list(row) for row in rows]
