"""Ask a loaded version about many rows, some of which it may have no answer for."""

from dataclasses import dataclass, field
from typing import Any

from predictions.adapters.loading import LoadedVersion
from predictions.adapters.scoring import score_frame
from predictions.core.inputs import Columns
from predictions.errors import ScoringError


@dataclass(frozen=True, kw_only=True, slots=True)
class ManyScored:
    """Answers by place, and why the other places have none."""

    places: list[int] = field(default_factory=list)
    predictions: list[Any] = field(default_factory=list)
    probabilities: list[list[float]] | None = None
    failed: dict[int, str] = field(default_factory=dict)
    codes: dict[int, str] = field(default_factory=dict)

    def probability(self, index: int) -> list[float] | None:
        """Return the shares of the answer at an index of `places`."""
        return None if self.probabilities is None else self.probabilities[index]


def score_many(loaded: LoadedVersion, frame: Columns) -> ManyScored:
    """Score checked columns; if the model refuses them, look by halves for the rows it refuses."""
    rows = len(next(iter(frame.values()))) if frame else 0
    failed: dict[int, str] = {}
    codes: dict[int, str] = {}
    places: list[int] = []
    predictions: list[Any] = []
    shares: list[list[float]] = []
    waiting = [range(rows)] if rows else []
    while waiting:
        part = waiting.pop()
        try:
            scored = score_frame(loaded, {name: values[part.start : part.stop] for name, values in frame.items()})
        except ScoringError as error:
            if len(part) == 1:
                failed[part.start], codes[part.start] = error.message, error.code
            else:
                middle = (part.start + part.stop) // 2
                waiting += [range(middle, part.stop), range(part.start, middle)]
            continue
        places += part
        predictions += scored.predictions
        shares += scored.probabilities or []
    return ManyScored(places=places, predictions=predictions, probabilities=shares or None, failed=failed, codes=codes)
