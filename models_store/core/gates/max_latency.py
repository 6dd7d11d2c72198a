"""The version answers fast enough."""

from dataclasses import replace

from models_store.core.gates.base import Evidence, GateOutcome, Settings, outcome
from models_store.core.gates.settings import Number

NAME = "max_latency"
DEFAULT_MS = 50.0
SETTINGS = {"ms": Number(low=0.001, high=600_000)}


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that the median time of one row's answer be short.

    Parameters
    ----------
    evidence : Evidence
        What is known; the time was taken on this machine while it was gathered, from model to answer.
    settings : mapping
        `ms`: the longest allowed, in milliseconds; 50 by default.

    Returns
    -------
    GateOutcome
        Failed where the model did not answer.
    """
    most, taken = float(settings.get("ms", DEFAULT_MS)), evidence.smoke.row_ms
    wanted = f"one row in {most:g} ms at most"
    if taken is None:
        return outcome(NAME, False, f"not measured: {evidence.smoke.error or 'it did not answer'}", wanted)
    found = outcome(NAME, taken <= most, f"one row in {taken:.3g} ms", wanted, ms=taken)
    return replace(found, moving=True)
