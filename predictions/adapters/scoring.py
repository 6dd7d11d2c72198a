"""Ask a loaded version, and refuse an answer that is no number."""

import math
import time
from itertools import chain

import numpy as np

from predictions.adapters.loading import LoadedVersion
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
    shares = scores.probabilities
    if shares is None:
        # Text and labels have no such fault; a sum of numbers shows one of them.
        if not loaded.classes and not np.isfinite(np.asarray(scores.predictions, dtype=np.float64)).all():
            raise NotFiniteError(f"{loaded.model}@{loaded.number} has no finite answer for these values")
        return Scored(frame=frame, predictions=scores.predictions, probabilities=None, confidence=[])
    rows: list[list[float]] = shares.tolist()
    # Of a few rows Python is done before numpy begins.
    few = len(rows) <= FEW
    if not (all(map(math.isfinite, chain.from_iterable(rows))) if few else np.isfinite(shares).all()):
        raise NotFiniteError(f"{loaded.model}@{loaded.number} has no finite answer for these values")
    confidence: list[float] = list(map(max, rows)) if few else shares.max(axis=1).tolist()
    return Scored(frame=frame, predictions=scores.predictions, probabilities=rows, confidence=confidence)
