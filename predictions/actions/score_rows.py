"""Score many rows in one call, some of which may be faulty: batches and polls of a stream."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from predictions import engine
from predictions.adapters.cache import Scored
from predictions.adapters.loading import LoadedVersion
from predictions.adapters.scoring import score_frame
from predictions.core.frames import CheckedRows, check_frame, check_rows
from predictions.core.inputs import Columns
from predictions.errors import ModelNotReadyError


@dataclass(frozen=True, kw_only=True, slots=True)
class RowScores:
    """What a version said about the good rows, and what is wrong with the others.

    Parameters
    ----------
    model, version, version_id, generation
        Who answered.
    classes : tuple
        The classes the probabilities belong to; empty for a regression.
    kept : list of int
        Which of the given rows were scored; the lists below are in this order.
    rejected : dict of int to str
        Why each other row was not.
    frame : Columns
        The scored inputs.
    predictions : list
        One label or value per kept row.
    probabilities : list of list of float, optional
        One share per class and kept row.
    """

    model: str
    version: int
    version_id: int
    generation: int
    classes: tuple[Any, ...]
    kept: list[int]
    rejected: dict[int, str]
    frame: Columns
    predictions: list[Any]
    probabilities: list[list[float]] | None


def score_rows(model: str | None, rows: Sequence[Any], *, version: int | None = None) -> RowScores:
    """Score rows given as lists in column order or as records, in one call of the model.

    Parameters
    ----------
    model : str, optional
        The model's name; the default model if None.
    rows : sequence of list or mapping
        As many as fit in memory; a faulty one is named and does not stop the others.
    version : int, optional
        A version by number; the production version if None.

    Returns
    -------
    RowScores
        Predictions of the good rows, messages for the others.

    Raises
    ------
    UnknownServedModelError
        If no such model or version is registered.
    ModelNotReadyError
        If no version is loaded.
    ScoringError
        If the model has no answer for these rows.
    """
    loaded, generation = _version(model, version)
    return _scored(loaded, generation, check_rows(loaded.plan, rows))


def score_columns(model: str | None, table: Mapping[str, Any], *, version: int | None = None) -> RowScores:
    """Score whole columns in one call of the model; see `score_rows`.

    Parameters
    ----------
    model, version
        See `score_rows`.
    table : mapping of str to array
        Columns of equal length; those the model does not take are ignored.

    Returns
    -------
    RowScores
        Predictions of the good rows, messages for the others.

    Raises
    ------
    InvalidRequestError
        If a column of the model is not there.
    """
    loaded, generation = _version(model, version)
    return _scored(loaded, generation, check_frame(loaded.plan, table))


def _version(model: str | None, version: int | None) -> tuple[LoadedVersion, int]:
    serving = engine.serving(model)
    if version is not None:
        return engine.version(serving.model, version), serving.generation
    if serving.production is None:
        why = serving.error or "promote a version first"
        raise ModelNotReadyError(f"no production version of {serving.model} is loaded: {why}", model=serving.model)
    return serving.production, serving.generation


def _scored(loaded: LoadedVersion, generation: int, checked: CheckedRows) -> RowScores:
    nothing = Scored(frame=checked.frame, predictions=[], probabilities=[] if loaded.classes else None, confidence=())
    scored = score_frame(loaded, checked.frame) if checked.kept else nothing
    return RowScores(
        model=loaded.model,
        version=loaded.number,
        version_id=loaded.version_id,
        generation=generation,
        classes=loaded.classes,
        kept=checked.kept,
        rejected=checked.rejected,
        frame=scored.frame,
        predictions=scored.predictions,
        probabilities=scored.probabilities,
    )
