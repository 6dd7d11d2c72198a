"""What a version said about checked inputs."""

from dataclasses import dataclass
from typing import Any

import orjson

from predictions.core.inputs import Columns


# Not frozen: one is made for each request, and a frozen one takes three times as long to make.
@dataclass(slots=True)
class Scored:
    """Checked inputs and what the version said about them.

    Parameters
    ----------
    frame : Columns
        The inputs, as they were scored.
    predictions : list
        One label or value per row.
    probabilities : list of list of float, optional
        One share per class and row; None for a regression.
    confidence : sequence of float
        The largest share of each row; empty for a regression.
    """

    frame: Columns
    predictions: list[Any]
    probabilities: list[list[float]] | None
    confidence: list[float]
    _json: bytes = b""

    @property
    def json(self) -> bytes:
        """Return predictions and probabilities as a JSON object, as answers and the log hold them; made once."""
        if not self._json:
            said: dict[str, Any] = {"predictions": self.predictions}
            if self.probabilities is not None:
                said["probabilities"] = self.probabilities
            self._json = orjson.dumps(said)
        return self._json
