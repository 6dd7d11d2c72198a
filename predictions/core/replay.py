"""Does a model say again what is recorded of it?"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from predictions.core.inputs import Columns

# A graph answers with the same bits for ever; of scikit-learn's own linear algebra only this much is promised.
SKLEARN_TOLERANCE = 1e-12


def frame_of(
    columns: Sequence[Mapping[str, Any]], names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> Columns | None:
    """Return recorded rows as a model's columns, as they were scored.

    Parameters
    ----------
    columns : sequence of mapping
        The model's input columns.
    names : sequence of str
        The columns that were recorded.
    rows : sequence of sequence
        Cells in their order; null was missing.

    Returns
    -------
    Columns or None
        None if a column was not recorded, as personal data is not.
    """
    place = {name: at for at, name in enumerate(names)}
    if any(column["name"] not in place for column in columns):
        return None
    frame: dict[str, npt.NDArray[Any]] = {}
    for column in columns:
        cells = [row[place[column["name"]]] for row in rows]
        if column["dtype"] == "string":
            frame[column["name"]] = np.array([*cells, None], dtype=object)[:-1]
        else:
            frame[column["name"]] = np.array([math.nan if cell is None else cell for cell in cells], dtype=np.float64)
    return frame


def is_same(recorded: Mapping[str, Any], again: Mapping[str, Any], *, tolerance: float) -> bool:
    """Tell whether two answers are the same.

    Parameters
    ----------
    recorded, again : mapping
        predictions and, for a classifier, probabilities.
    tolerance : float
        How far numbers may be apart; with 0 their bytes must be equal.

    Returns
    -------
    bool
        Whether they are.
    """
    if orjson.dumps(recorded, option=orjson.OPT_SORT_KEYS) == orjson.dumps(again, option=orjson.OPT_SORT_KEYS):
        return True
    if not tolerance or recorded.keys() != again.keys():
        return False
    return all(_near(recorded[key], again[key], tolerance) for key in recorded)


def _near(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_near(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= tolerance * max(1.0, abs(one))
    return bool(one == other)
