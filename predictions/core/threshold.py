"""From probabilities to labels where a version has a threshold of its own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def labels_at(probabilities: npt.NDArray[np.floating[Any]], classes: Sequence[Any], threshold: float) -> list[Any]:
    """Return the label of each row: the second class from the threshold on, else the first.

    Parameters
    ----------
    probabilities : ndarray of shape (n_rows, 2)
        Of either engine; compared as float64.
    classes : sequence of two labels
        In the order of the probabilities.
    threshold : float
        Smallest probability of the second class that makes it the label.

    Returns
    -------
    list
        One label per row.
    """
    reached = probabilities[:, 1].astype(np.float64) >= threshold
    return [classes[1] if yes else classes[0] for yes in reached.tolist()]
