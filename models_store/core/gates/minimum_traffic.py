"""The version has answered real requests before it is asked to answer all of them."""

from dataclasses import replace

from models_store.core.gates.base import Evidence, GateOutcome, Settings, outcome
from models_store.core.gates.settings import Number

NAME = "minimum_traffic"
DEFAULT_ROWS = 1000
SETTINGS = {"rows": Number(low=1, high=1e12, whole=True), "hours": Number(low=0, high=8760)}


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that the version have answered enough rows in shadow or as canary.

    Parameters
    ----------
    evidence : Evidence
        What is known; the prediction log was counted while it was gathered.
    settings : mapping
        `rows`: how many at least, 1000 by default; `hours`: from the first to the last at least, 0 by default.

    Returns
    -------
    GateOutcome
        Its decision.
    """
    rows, hours = int(settings.get("rows", DEFAULT_ROWS)), float(settings.get("hours", 0))
    traffic = evidence.traffic
    found = outcome(
        NAME,
        traffic.rows >= rows and traffic.hours >= hours,
        f"{traffic.rows} rows within {traffic.hours:.3g} hours in shadow or as canary",
        f"at least {rows} rows" + (f" within at least {hours:g} hours" if hours else ""),
        rows=traffic.rows,
        hours=traffic.hours,
    )
    return replace(found, moving=True)
