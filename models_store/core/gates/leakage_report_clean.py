"""The version was trained without looking away from leakage."""

from models_store.core.gates.base import Evidence, GateOutcome, Settings, outcome
from models_store.core.gates.settings import Number

NAME = "leakage_report_clean"
SETTINGS = {"accepted": Number(low=0, high=1000, whole=True)}


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that nobody had to accept a finding of the leakage check for the version to be trained.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    settings : mapping
        `accepted`: how many accepted findings may pass; 0 by default.

    Returns
    -------
    GateOutcome
        Failed where no check is known; a check with findings that nobody accepted lets nothing be trained.
    """
    most, data = int(settings.get("accepted", 0)), evidence.trained_on
    wanted = f"checked, with {most or 'no'} accepted finding{'' if most == 1 else 's'}{' at most' if most else ''}"
    if data is None or data.accepted is None:
        return outcome(NAME, False, "no leakage check is known of this version", wanted)
    seen = f"accepted: {', '.join(data.accepted)}" if data.accepted else "nothing was found that had to be accepted"
    return outcome(NAME, len(data.accepted) <= most, seen, wanted, accepted=list(data.accepted))
