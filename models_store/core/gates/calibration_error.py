"""A classifier's probabilities mean what they say."""

from models_store.core.gates.base import Evidence, GateOutcome, Settings, measured, outcome
from models_store.core.gates.settings import Number

NAME = "calibration_error"
DEFAULT_MAX = 0.1
SETTINGS = {"max": Number()}


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that predicted and observed shares lie close together.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    settings : mapping
        `max`: the largest error allowed, as a share from 0 to 1; 0.1 by default.

    Returns
    -------
    GateOutcome
        Passed for a regression, which has no probabilities; failed where it was not measured.
    """
    bound = float(settings.get("max", DEFAULT_MAX))
    wanted = f"calibration_error at most {bound:g}"
    if evidence.task != "classification":
        return outcome(NAME, True, f"does not apply to a {evidence.task}", wanted)
    value = measured(evidence.metrics, "test", "calibration_error")
    if value is None:
        return outcome(NAME, False, "calibration_error was not measured", wanted)
    return outcome(NAME, value <= bound, f"calibration_error {value:.6g}", wanted, value=value)
