"""Ask an opened model for rows that fit its schema."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from models_store.adapters.child.errand import UnusableError


def frame_of(columns: list[dict[str, Any]], rows: list[list[Any]]) -> pd.DataFrame:
    """Return rows as the data frame a pipeline takes."""
    values = list(zip(*rows, strict=True))
    return pd.DataFrame(
        {
            column["name"]: pd.array(list(cells), dtype="str")
            if column["dtype"] == "string"
            else np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
            for column, cells in zip(columns, values, strict=True)
        }
    )


def answers(model: Any, frame: pd.DataFrame) -> bool:
    """Tell whether the model answers with finite numbers, in one thread: the guard lets it start no process."""
    if hasattr(model, "get_params"):
        model.set_params(**{key: 1 for key in model.get_params() if key == "n_jobs" or key.endswith("__n_jobs")})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a model fitted on a bare matrix warns about names
            given = [np.asarray(model.predict(frame))]
            if hasattr(model, "predict_proba"):
                given.append(np.asarray(model.predict_proba(frame)))
    except Exception as error:
        raise UnusableError(f"the model refused rows that fit its schema: {type(error).__name__}: {error}") from error
    return all(np.isfinite(part).all() for part in given if part.dtype.kind == "f")
