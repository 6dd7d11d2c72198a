"""The version is no worse than the one in production on the very rows both were tested on."""

from models_store.core.gates.base import Evidence, GateOutcome, Settings, outcome
from models_store.core.gates.settings import Number

NAME = "not_worse_on_same_rows"
DEFAULT_TOLERANCE = 0.02
DEFAULT_MIN_ROWS = 100
DEFAULT_CONFIDENCE = 0.95
SETTINGS = {
    "max_loss": Number(low=0, high=1e300),
    "tolerance": Number(low=0, high=10),
    "min_rows": Number(low=2, high=50_000, whole=True),
    "confidence": Number(low=0.5, high=0.999),
}


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that the interval of the paired loss difference exclude a loss that is too large.

    Parameters
    ----------
    evidence : Evidence
        What is known; the losses were paired while it was gathered.
    settings : mapping
        `max_loss`: the largest loss allowed, in nats or squared units; else `tolerance`, the share of the champion's
        loss, 0.02. `min_rows`: how many common rows it takes, 100. `confidence` of the interval, 0.95.

    Returns
    -------
    GateOutcome
        Passed where nothing is in production; failed, with the reason, where it can't be decided.
    """
    paired, least = evidence.paired, int(settings.get("min_rows", DEFAULT_MIN_ROWS))
    confidence = float(settings.get("confidence", DEFAULT_CONFIDENCE))
    if evidence.champion is None:
        return outcome(NAME, True, "no other version is in production", "nothing to compare with")
    rival = f"version {evidence.champion.number}"
    if paired is None or paired.error or paired.rows < least:
        error = "they were not compared" if paired is None else paired.error
        seen = error or f"can't be decided on {paired.rows if paired else 0} common test rows"
        return outcome(NAME, False, seen, f"at least {least} test rows in common with {rival}")
    low, high = paired.interval(confidence)
    most = float(settings.get("max_loss", float(settings.get("tolerance", DEFAULT_TOLERANCE)) * paired.champion))
    shown = f"{'log loss' if evidence.task == 'classification' else 'squared error'} less {rival}'s"
    return outcome(
        NAME,
        high <= most,
        f"{shown}: {paired.own - paired.champion:+.6g}, {100 * confidence:g} % interval {low:+.6g} to {high:+.6g}",
        f"interval ends at {most:.6g} at most ({paired.rows} rows of both)",
        rows=paired.rows,
        own=paired.own,
        other=paired.champion,
        low=low,
        high=high,
        max_loss=most,
    )
