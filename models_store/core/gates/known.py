"""What is known of a version's data and of the traffic it has answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedOn:
    """The data a version learnt from.

    Attributes
    ----------
    dataset : str
        The dataset version its rows come from, as DATASET@N.
    newest : datetime
        Of its newest event, or of the ingestion where events have no time.
    is_event : bool
        Which of the two.
    accepted : sequence of str or None
        Findings of the leakage check that somebody took responsibility for; None where no check is known.
    """

    dataset: str
    newest: datetime
    is_event: bool
    accepted: Sequence[str] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """What a version has answered in shadow or as canary.

    Attributes
    ----------
    rows : int
        How many rows.
    hours : float
        From the first of them to the last.
    """

    rows: int = 0
    hours: float = 0.0
