"""The least value among the rows in force at each asking time."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def least_in_force(first: IntArray, end: IntArray, values: FloatArray, n_labels: int) -> FloatArray:
    """Return, for each label, the least of the values whose range holds it.

    Parameters
    ----------
    first, end : ndarray of int, shape (n_rows,)
        Each row is in force for the labels first … end - 1; an empty range is allowed.
    values : ndarray of float, shape (n_rows,)
        No NaN.
    n_labels : int
        Number of labels.

    Returns
    -------
    ndarray of float, shape (n_labels,)
        NaN where no row is in force.
    """
    used = end > first
    first, end, values = first[used], end[used], values[used]
    level = np.floor(np.log2(np.maximum(end - first, 1))).astype(np.int64)
    least = np.full(n_labels, np.inf)
    # A range is two overlapping blocks of the largest power of two in it; each level hands its blocks to the one below.
    for step in range(int(level.max(initial=0)), -1, -1):
        width = 1 << step
        at = level == step
        np.minimum.at(least, first[at], values[at])
        np.minimum.at(least, end[at] - width, values[at])
        half = width >> 1
        if half:
            shifted = np.full(n_labels, np.inf)
            shifted[half:] = least[:-half]
            least = np.minimum(least, shifted)
    return np.where(np.isinf(least), np.nan, least)
