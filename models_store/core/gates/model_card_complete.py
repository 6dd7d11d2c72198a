"""Somebody has said what the model is for, where it is wrong, and who answers for it."""

from models_store.core.card import missing_parts, written_digest
from models_store.core.gates.base import Evidence, GateOutcome, Settings, outcome

NAME = "model_card_complete"


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that every part of the model card a person writes be written.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    settings : mapping
        None are used.

    Returns
    -------
    GateOutcome
        Its text names the card's present state, so that approvals are bound to the card that was read.
    """
    missing = missing_parts(evidence.card)
    state = written_digest(evidence.card)
    observed = f"missing: {', '.join(missing)}" if missing else f"complete, {state[:12]}"
    return outcome(NAME, not missing, observed, "purpose, intended_use, limits, owner", card=state, missing=missing)
