"""Which gates may be waived, and by what words."""

from collections.abc import Mapping, Sequence

from features.ground.errors import bounded
from models_store.core.gates import GateOutcome
from models_store.core.policy import Policy
from models_store.core.reasons import checked_reason
from models_store.errors import BadPromotionError

NEVER = "artefact_verified"
"""The gate nobody may waive: no byte is loaded that was not signed."""


def parse_waiver(text: str) -> tuple[str, str]:
    """Read `GATE=REASON`.

    Parameters
    ----------
    text : str
        What the caller wrote.

    Returns
    -------
    tuple of str and str
        The gate's name and the reason.

    Raises
    ------
    BadPromotionError
        If it has another form.
    """
    gate, mark, reason = text.partition("=")
    if not mark:
        raise BadPromotionError(f"a waiver is GATE=REASON, got {bounded(text)!r}")
    return gate.strip(), reason


def checked_waivers(waive: Mapping[str, str], policy: Policy, target_stage: str) -> dict[str, str]:
    """Return the gates to waive with their reasons.

    Parameters
    ----------
    waive : mapping of str to str
        Names of gates, and why each is waived.
    policy : Policy
        Of the model.
    target_stage : str
        The stage asked for.

    Returns
    -------
    dict of str to str
        Without space around the reasons.

    Raises
    ------
    BadPromotionError
        If a name is not that of a gate that stands before the stage, the gate may not be waived, or a reason is
        missing.
    """
    allowed = [name for name in policy.gates(target_stage) if name != NEVER]
    for gate in waive:
        if gate == NEVER:
            raise BadPromotionError(f"{NEVER} can't be waived: nothing serves without a valid signature")
        if gate not in allowed:
            raise BadPromotionError(
                f"gates that may be waived before {target_stage} are {', '.join(allowed) or 'none'}; "
                f"got {bounded(gate)!r}"
            )
    return {gate: checked_reason(reason) for gate, reason in waive.items()}


def check_needed(waive: Mapping[str, str], outcomes: Sequence[GateOutcome]) -> None:
    """Refuse to waive a gate that passes: the record would say that something was wrong.

    Parameters
    ----------
    waive : mapping of str to str
        Gates that stand before the stage.
    outcomes : sequence of GateOutcome
        What the gates said.

    Raises
    ------
    BadPromotionError
        If one of them passes.
    """
    passed = [found.gate for found in outcomes if found.gate in waive and found.passed]
    if passed:
        raise BadPromotionError(f"{', '.join(passed)} passes: there is nothing to waive", gates=passed)
