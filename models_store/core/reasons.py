"""Why somebody asks, and why a gate says no, in words."""

from collections.abc import Sequence

from models_store.core.gates import GateOutcome
from models_store.errors import BadPromotionError, GateFailedError

MAX_REASON = 2000


def checked_reason(reason: str) -> str:
    """Return the reason, if a person could read it.

    Parameters
    ----------
    reason : str
        What the actor wrote.

    Returns
    -------
    str
        Without space around it.

    Raises
    ------
    BadPromotionError
        If it is empty, over 2000 characters, or holds what no database stores.
    """
    text = reason.strip()
    if not 0 < len(text) <= MAX_REASON:
        raise BadPromotionError(f"a reason of 1 to {MAX_REASON} characters is needed, got {len(text)}", got=len(text))
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadPromotionError("a reason is plain text, got NUL or half a character")
    return text


def gate_failure(spec: str, target_stage: str, failed: Sequence[GateOutcome], request: int | None) -> GateFailedError:
    """Return the error that names the gates which said no.

    Parameters
    ----------
    spec : str
        The version.
    target_stage : str
        What it was to become.
    failed : sequence of GateOutcome
        The gates that said no.
    request : int or None
        Number of the refused promotion request.

    Returns
    -------
    GateFailedError
        To be raised once the refusal is stored.
    """
    said = "; ".join(f"{found.gate} (wanted {found.threshold}, got {found.observed})" for found in failed)
    gates = [{"gate": found.gate, "observed": found.observed, "threshold": found.threshold} for found in failed]
    return GateFailedError(
        f"{spec} may not go to {target_stage}: {said}", gates=gates, target_stage=target_stage, request=request
    )
