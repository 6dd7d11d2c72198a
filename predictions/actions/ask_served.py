"""Ask the engine of this process one row, past the log: for a drill, whose requests are nobody's."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from models_store.adapters.served import Said
from predictions import engine
from predictions.adapters.scoring import score_frame


@dataclass(frozen=True, slots=True)
class EngineServed:
    """The served model as this process holds it.

    Parameters
    ----------
    model : str
        Its name.
    pause_s : float
        What each caller waits between two questions.
    """

    model: str
    pause_s: float = 0.005

    def ask(self, row: Sequence[Any], number: int | None = None) -> Said:
        """Score one row with whichever version serves it, or with one by its number.

        Parameters
        ----------
        row : sequence
            Cells in column order.
        number : int, optional
            A version; whichever serves if None.

        Returns
        -------
        Said
            Which version answered, and what.
        """
        if number is None:
            loaded, _, _ = engine.serving(self.model).pick((), uuid4())
        else:
            loaded = engine.version(self.model, number)
        scored = score_frame(loaded, loaded.plan.from_rows([list(row)]))
        return Said(version=loaded.number, answer=[list(scored.predictions), scored.probabilities])


@contextmanager
def served(model: str) -> Iterator[EngineServed]:
    """Follow the registry from this process until the block ends, as a serving process always does.

    Parameters
    ----------
    model : str
        Name of the model.

    Yields
    ------
    EngineServed
        Answers as long as the block lasts.
    """
    with engine.followed():
        yield EngineServed(model)
