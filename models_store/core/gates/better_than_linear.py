"""The version beats a simple linear model."""

from models_store.core.gates.base import Evidence, GateOutcome, Settings, better_than
from models_store.core.gates.settings import Number

NAME = "better_than_linear"
SETTINGS = {"margin": Number()}


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that the primary metric beat the linear baseline's on the same test rows.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    settings : mapping
        `margin`: by how much, in the metric's unit; 0.0 by default.

    Returns
    -------
    GateOutcome
        Failed where either was not measured.
    """
    return better_than(NAME, evidence, "linear_baseline", float(settings.get("margin", 0.0)))
