"""What was in production when, read from the promotions that were applied."""

from collections.abc import Iterable
from dataclasses import dataclass

PROMOTE, ROLLBACK = "promote", "rollback"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One applied change of a model's stages.

    Attributes
    ----------
    action : str
        `promote` or `rollback`.
    production : int or None
        Number of the production version after it; None if there was none.
    undoes : bool
        Whether it takes back the change of production before it, as a drill does: as if neither had been.
    """

    action: str
    production: int | None
    undoes: bool = False


def previous_production(changes: Iterable[Change]) -> int | None:
    """Find the version a rollback returns to.

    A rollback undoes: rolling back twice goes two versions down and never back to the one just left.

    Parameters
    ----------
    changes : iterable of Change
        All applied changes of one model, oldest first.

    Returns
    -------
    int or None
        The production version before the present one; the last one there was, if production is empty; None if
        there is no such version.
    """
    stack: list[int] = []
    before: list[int] = []
    live: int | None = None
    for change in changes:
        if change.production == live:
            continue
        live = change.production
        if change.undoes:
            stack = before
            continue
        before = list(stack)
        if live is None:
            continue
        if change.action == ROLLBACK and live in stack:
            del stack[_last(stack, live) + 1 :]
        elif not stack or stack[-1] != live:
            stack.append(live)
    if live is None:
        return stack[-1] if stack else None
    return stack[-2] if len(stack) > 1 else None


def _last(stack: list[int], number: int) -> int:
    return len(stack) - 1 - stack[::-1].index(number)
