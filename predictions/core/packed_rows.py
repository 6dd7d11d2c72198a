"""Many rows of numbers that nobody has as text, kept in the log as the bytes they are."""

from binascii import a2b_base64, b2a_base64
from typing import Any

import numpy as np
import numpy.typing as npt

# Fewer rows are kept as lists: they take no time, and whoever looks at the table can read them.
MANY = 32
_KEYS = frozenset(("float64", "width"))


def pack_rows(matrix: npt.NDArray[np.float64]) -> bytes:
    """Return rows as a JSON object of their bytes.

    Parameters
    ----------
    matrix : ndarray of shape (n_rows, width)
        The cells, NaN for a missing one.

    Returns
    -------
    bytes
        An object of `float64`, the little-endian doubles row by row in base 64, and `width`.
    """
    cells = np.ascontiguousarray(matrix, dtype="<f8")
    return b'{"float64":"%b","width":%d}' % (b2a_base64(cells.data, newline=False), matrix.shape[1])


def unpack_rows(value: Any) -> Any:
    """Return the rows of what `pack_rows` made, and anything else as it is.

    Parameters
    ----------
    value : Any
        What a JSON text said.

    Returns
    -------
    Any
        A list of rows, None for a missing cell; or `value`.
    """
    if type(value) is not dict or value.keys() != _KEYS:
        return value
    cells = np.frombuffer(a2b_base64(value["float64"]), dtype="<f8").reshape(-1, value["width"])
    rows = cells.astype(object)
    rows[np.isnan(cells)] = None
    return rows.tolist()
