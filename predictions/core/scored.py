"""What a version said about checked inputs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from predictions.core.inputs import Columns


class Scored:
    """Checked inputs and what the version said about them.

    Parameters
    ----------
    frame : Columns
        The inputs, as they were scored.
    predictions : list
        One label or value per row.
    shares : ndarray of shape (n_rows, n_classes), or list of list of float, optional
        One share per class and row; None for a regression.
    confidence : sequence of float
        The largest share of each row; empty for a regression.
    outputs : bytes, optional
        Predictions and shares as JSON, where somebody has it.
    """

    __slots__ = ("_json", "_shares", "confidence", "frame", "predictions")

    def __init__(
        self,
        frame: Columns,
        predictions: list[Any],
        shares: npt.NDArray[np.float64] | list[list[float]] | None,
        confidence: npt.NDArray[np.float64] | Sequence[float],
        outputs: bytes = b"",
    ) -> None:
        self.frame, self.predictions, self.confidence = frame, predictions, confidence
        self._shares, self._json = shares, outputs

    @property
    def shares(self) -> npt.NDArray[np.float64] | None:
        """Return the shares as an array; None for a regression."""
        return None if self._shares is None else np.asarray(self._shares, dtype=np.float64)

    @property
    def probabilities(self) -> list[list[float]] | None:
        """Return the shares as lists; None for a regression."""
        shares: list[list[float]] | None
        if isinstance(self._shares, np.ndarray):
            shares = self._shares = self._shares.tolist()
        else:
            shares = self._shares
        return shares

    @property
    def json(self) -> bytes:
        """Return predictions and probabilities as a JSON object, as answers and the log hold them; made once."""
        if not self._json:
            said: dict[str, Any] = {"predictions": self.predictions}
            if self._shares is not None:
                said["probabilities"] = self._shares
            self._json = orjson.dumps(said, option=orjson.OPT_SERIALIZE_NUMPY)
        return self._json
