"""The data the version learnt from is not old."""

from models_store.core.gates.base import Evidence, GateOutcome, Settings, outcome
from models_store.core.gates.settings import Number

NAME = "data_fresh"
DEFAULT_DAYS = 30.0
DAY_S = 86_400
SETTINGS = {"days": Number(low=0.01, high=36_500)}


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that the newest event, or the ingestion where events have no time, lie a short time back.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    settings : mapping
        `days`: how far back at most; 30 by default.

    Returns
    -------
    GateOutcome
        Failed where nothing is known of the data.
    """
    most, data = float(settings.get("days", DEFAULT_DAYS)), evidence.trained_on
    wanted = f"at most {most:g} days old"
    if data is None:
        return outcome(NAME, False, "the version names no training data", wanted)
    days = (evidence.as_of - data.newest).total_seconds() / DAY_S
    what = "newest event" if data.is_event else "ingestion"
    # The time, not the age: what is observed stays the same while people make up their minds.
    seen = f"{what} of {data.dataset}: {data.newest:%Y-%m-%d %H:%M} UTC"
    return outcome(NAME, days <= most, seen, wanted, days=days)
