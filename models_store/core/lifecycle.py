"""The life of a version: one table of the moves that are allowed."""

from models_store.errors import AlreadyThereError, BadPromotionError, MoveNotAllowedError

CANDIDATE, SHADOW, CANARY, PRODUCTION, ARCHIVED, REJECTED = (
    "candidate",
    "shadow",
    "canary",
    "production",
    "archived",
    "rejected",
)
SERVING = (SHADOW, CANARY, PRODUCTION)
"""Stages that at most one version of a model holds."""

TARGETS = (SHADOW, CANARY, PRODUCTION, ARCHIVED, REJECTED)
"""Stages that may be asked for."""

_ENDS = {ARCHIVED, REJECTED}
MOVES: dict[str, set[str]] = {
    CANDIDATE: {SHADOW, CANARY, PRODUCTION} | _ENDS,
    SHADOW: {CANARY, PRODUCTION} | _ENDS,
    CANARY: {SHADOW, PRODUCTION} | _ENDS,
    PRODUCTION: {ARCHIVED},
    ARCHIVED: set(),
    REJECTED: set(),
}
"""Where a promotion may take a version, by the stage it holds."""

ROLLBACK_MOVES: dict[str, set[str]] = {ARCHIVED: {PRODUCTION}}
"""Where a rollback may take a version."""

DISPLACED = {PRODUCTION: ARCHIVED, CANARY: CANDIDATE, SHADOW: CANDIDATE}
"""Where the holder of a stage goes when another version takes it: only production has a history to return to."""

DEFAULT_CANARY_PERCENT = 10


def check_move(spec: str, stage: str, target: str) -> None:
    """Refuse a promotion that the table doesn't hold.

    Parameters
    ----------
    spec : str
        The version, for the message.
    stage : str
        The stage it holds.
    target : str
        The stage asked for.

    Raises
    ------
    AlreadyThereError
        If it already holds that stage.
    MoveNotAllowedError
        If no such move exists.
    """
    fields = {"stage": stage, "target_stage": target}
    if stage == target:
        raise AlreadyThereError(f"{spec} is already {target}: nothing to do", **fields)
    if target in MOVES[stage]:
        return
    allowed = ", ".join(sorted(MOVES[stage])) or "no other stage"
    hint = "; only a rollback brings it back to production" if target in ROLLBACK_MOVES.get(stage, ()) else ""
    raise MoveNotAllowedError(
        f"{spec} is {stage} and may go to {allowed}{hint}, not to {target}", **fields, allowed=sorted(MOVES[stage])
    )


def check_rollback(spec: str, stage: str) -> None:
    """Refuse to roll back to a version that is not waiting in the archive.

    Parameters
    ----------
    spec : str
        The version, for the message.
    stage : str
        The stage it holds.

    Raises
    ------
    AlreadyThereError
        If it is in production now.
    MoveNotAllowedError
        If it is in any other stage than archived.
    """
    if stage == PRODUCTION:
        raise AlreadyThereError(f"{spec} is already {stage}: nothing to do", stage=stage, target_stage=PRODUCTION)
    if PRODUCTION not in ROLLBACK_MOVES.get(stage, ()):
        raise MoveNotAllowedError(
            f"{spec} is {stage}; a rollback takes an {ARCHIVED} version that was in production: use promote",
            stage=stage,
            target_stage=PRODUCTION,
        )


def checked_percent(target: str, percent: int | None) -> int | None:
    """Return the share of traffic a canary gets.

    Parameters
    ----------
    target : str
        The stage asked for.
    percent : int or None
        Percent of requests, 1 to 100; only for a canary, 10 if left out.

    Returns
    -------
    int or None
        The percent for a canary, None for another stage.

    Raises
    ------
    BadPromotionError
        If it is out of range or given for another stage.
    """
    if target != CANARY:
        if percent is not None:
            raise BadPromotionError(f"a percent goes with stage {CANARY} alone, got {percent} for {target}")
        return None
    if percent is None:
        return DEFAULT_CANARY_PERCENT
    if not 1 <= percent <= 100:
        raise BadPromotionError(f"percent must be 1 to 100, got {percent}", percent=percent)
    return percent
