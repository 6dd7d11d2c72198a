"""The primary metric was measured, and is good enough if the policy says what that is."""

from models_store.core.gates.base import Evidence, GateOutcome, Settings, measured, outcome
from models_store.core.gates.settings import Number
from models_store.core.quality import is_lower_better

NAME = "primary_metric"
SETTINGS = {"bound": Number()}


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that the primary metric be finite and on the right side of the policy's bound.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    settings : mapping
        `bound`: the worst value allowed, in the metric's unit; none by default.

    Returns
    -------
    GateOutcome
        Failed where it was not measured or is worse than the bound.
    """
    metric, bound = evidence.primary_metric, settings.get("bound")
    lower = is_lower_better(metric)
    wanted = f"{metric} finite" if bound is None else f"{metric} at {'most' if lower else 'least'} {bound:g}"
    value = measured(evidence.metrics, "test", metric)
    if value is None:
        return outcome(NAME, False, f"{metric} was not measured", wanted, metric=metric)
    passed = bound is None or (value <= bound if lower else value >= bound)
    return outcome(NAME, passed, f"{metric} {value:.6g}", wanted, metric=metric, value=value)
