"""What a trained model said of rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.metrics import FloatArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """Rows a model was asked about, and what it said.

    Attributes
    ----------
    rows : ndarray of shape (n_rows,)
        Where they stand in the snapshot's table.
    actual : ndarray of shape (n_rows,)
        Class codes, or values.
    said : ndarray of shape (n_rows, n_classes) or (n_rows,)
        Probabilities, or values.
    """

    rows: npt.NDArray[np.int64]
    actual: npt.NDArray[Any]
    said: FloatArray
