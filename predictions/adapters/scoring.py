"""Ask a loaded version, and refuse an answer that is no number."""

import math
import time
from itertools import chain

import numpy as np
import numpy.typing as npt

from predictions.adapters.loading import LoadedVersion
from predictions.adapters.runtime import Scores
from predictions.core.inputs import Columns
from predictions.core.scored import Scored
from predictions.errors import NotFiniteError

FEW = 8


def score_frame(loaded: LoadedVersion, frame: Columns) -> Scored:
    """Return a version's answer for checked columns.

    Raises
    ------
    ScoringError
        If the model refuses the values; as NotFiniteError, if it answers something that is no number.
    """
    started = time.perf_counter()
    scores = loaded.runtime.score(frame)
    loaded.meters.scoring.observe(time.perf_counter() - started)
    return checked(loaded, frame, scores)


def checked(loaded: LoadedVersion, frame: Columns, scores: Scores) -> Scored:
    """Return what a version said for checked columns, if it is an answer.

    Raises
    ------
    NotFiniteError
        If it is no number.
    """
    if scores.probabilities is None:
        # Text and labels have no such fault; a sum of numbers shows one of them.
        if not loaded.classes and not np.isfinite(np.asarray(scores.predictions, dtype=np.float64)).all():
            raise NotFiniteError(f"{loaded.model}@{loaded.number} has no finite answer for these values")
        return Scored(frame, scores.predictions, None, ())
    # A share in single precision is written as the double it is.
    shares: npt.NDArray[np.float64] = np.ascontiguousarray(scores.probabilities, dtype=np.float64)
    # Of a few rows Python is done before numpy begins.
    rows = shares.tolist() if len(shares) <= FEW else None
    if not (np.isfinite(shares).all() if rows is None else all(map(math.isfinite, chain.from_iterable(rows)))):
        raise NotFiniteError(f"{loaded.model}@{loaded.number} has no finite answer for these values")
    if rows is None:
        return Scored(frame, scores.predictions, shares, shares.max(axis=1))
    return Scored(frame, scores.predictions, rows, [*map(max, rows)])
