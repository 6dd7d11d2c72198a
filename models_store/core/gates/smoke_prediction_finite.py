"""The model answers, and with numbers."""

from models_store.core.gates.base import Evidence, GateOutcome, Settings, outcome

NAME = "smoke_prediction_finite"


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that the model answer its stored sample without NaN or infinity.

    Parameters
    ----------
    evidence : Evidence
        What is known; the prediction itself was made while it was gathered.
    settings : mapping
        None are used.

    Returns
    -------
    GateOutcome
        Failed with the reason, if it did not answer.
    """
    smoke = evidence.smoke
    seen = smoke.error or f"{smoke.rows} rows, {'all finite' if smoke.finite else 'not all finite'}"
    return outcome(NAME, smoke.finite and not smoke.error, seen, "every answer finite", rows=smoke.rows)
