"""The artefact's bytes are those that were signed."""

from models_store.core.gates.base import Evidence, GateOutcome, Settings, outcome

NAME = "artefact_verified"


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that size, digest, signature and name of the artefact hold.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    settings : mapping
        None are used.

    Returns
    -------
    GateOutcome
        Failed with the reason the artefact was refused.
    """
    check = evidence.artefact
    return outcome(NAME, not check.error, check.error or "verified", "digest, signature and name", digest=check.digest)
