"""Explain the rows of one request, within a bounded number of scored rows."""

import numpy as np
import numpy.typing as npt

from predictions.adapters.loading import LoadedVersion
from predictions.core.explain import Explanation, explain_row, margins
from predictions.core.inputs import Columns
from predictions.errors import TooManyRowsError

MAX_ROWS = 10
EVALUATIONS = 1000
_SEED = 7
# What the trainer, and people who register a model of their own, call a sum over columns.
LINEAR = frozenset(("linear", "linear_regression", "logistic_regression", "ridge"))


def explain_rows(loaded: LoadedVersion, frame: Columns) -> list[Explanation]:
    """Return what moved each answer: a classifier's in the log-odds of the class it chose, a regression's in its unit.

    Raises
    ------
    TooManyRowsError
        If there are more rows than one request may have explained.
    """
    rows = len(next(iter(frame.values())))
    if rows > MAX_ROWS:
        raise TooManyRowsError(f"{rows} rows are too many to explain: at most {MAX_ROWS}", limit=MAX_ROWS, got=rows)
    return [_explained(loaded, {name: values[row : row + 1] for name, values in frame.items()}) for row in range(rows)]


def _explained(loaded: LoadedVersion, row: Columns) -> Explanation:
    shares = loaded.runtime.score(row).probabilities
    place = 0 if shares is None else int(np.argmax(shares[0]))

    def score(frame: Columns) -> npt.NDArray[np.float64]:
        scores = loaded.runtime.score(frame)
        if scores.probabilities is None:
            return np.asarray(scores.predictions, dtype=np.float64)
        return margins(np.asarray(scores.probabilities, dtype=np.float64), place)

    return explain_row(
        score, row, loaded.baseline, additive=loaded.estimator in LINEAR, evaluations=EVALUATIONS, seed=_SEED
    )
