"""The version is about as good as the one in production, or better."""

from models_store.core.gates.base import Evidence, GateOutcome, Settings, measured, outcome
from models_store.core.gates.settings import Number
from models_store.core.quality import is_lower_better

NAME = "not_worse_than_champion"
DEFAULT_TOLERANCE = 0.02
SETTINGS = {"tolerance": Number()}


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that the primary metric be no worse than the production version's.

    Parameters
    ----------
    evidence : Evidence
        What is known; `same_rows` in the outcome says whether both were tested on one snapshot.
    settings : mapping
        `tolerance`: share of the champion's value that may be lost; 0.02 by default.

    Returns
    -------
    GateOutcome
        Passed where nothing is in production; failed where either metric was not measured.
    """
    metric, champion = evidence.primary_metric, evidence.champion
    tolerance = float(settings.get("tolerance", DEFAULT_TOLERANCE))
    if champion is None:
        return outcome(NAME, True, "no other version is in production", "nothing to compare with")
    own, theirs = measured(evidence.metrics, "test", metric), measured(champion.metrics, "test", metric)
    if own is None or theirs is None:
        who = "this version" if own is None else f"version {champion.number} in production"
        return outcome(NAME, False, f"{who} has no {metric}", f"{metric} of both", champion=champion.number)
    lower = is_lower_better(metric)
    slack = tolerance * abs(theirs)
    bound = theirs + slack if lower else theirs - slack
    side = "most" if lower else "least"
    return outcome(
        NAME,
        own <= bound if lower else own >= bound,
        f"{metric} {own:.6g}",
        f"{metric} at {side} {bound:.6g} (version {champion.number} has {theirs:.6g})",
        champion=champion.number,
        own=own,
        other=theirs,
        same_rows=evidence.snapshot_id is not None and evidence.snapshot_id == champion.snapshot_id,
    )
