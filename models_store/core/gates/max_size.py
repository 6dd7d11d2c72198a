"""The artefact is small enough for whoever serves it."""

from models_store.core.gates.base import Evidence, GateOutcome, Settings, outcome
from models_store.core.gates.settings import Number

NAME = "max_size"
DEFAULT_MB = 100.0
MEGABYTE = 1024 * 1024
SETTINGS = {"mb": Number(low=0.001, high=1_000_000)}


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that the files of the artefact together be small.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    settings : mapping
        `mb`: the most allowed, in units of 1024 x 1024 bytes; 100 by default.

    Returns
    -------
    GateOutcome
        Its decision.
    """
    most, size = float(settings.get("mb", DEFAULT_MB)), evidence.size_bytes / MEGABYTE
    return outcome(NAME, size <= most, f"{size:.3g} MB", f"{most:g} MB at most", bytes=evidence.size_bytes)
