"""Ask a loaded version, and refuse an answer that is no number."""

import time

import numpy as np

from predictions.adapters.cache import Scored
from predictions.adapters.loading import LoadedVersion
from predictions.core.inputs import Columns
from predictions.errors import NotFiniteError


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
        return Scored(frame=frame, predictions=scores.predictions, probabilities=None, confidence=())
    if not np.isfinite(shares).all():
        raise NotFiniteError(f"{loaded.model}@{loaded.number} has no finite answer for these values")
    return Scored(
        frame=frame,
        predictions=scores.predictions,
        probabilities=shares.tolist(),
        confidence=tuple(shares.max(axis=1).tolist()) if len(shares) else (),
    )
