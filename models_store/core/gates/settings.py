"""What a gate's settings may be; each gate declares its own in `SETTINGS`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from features.ground.errors import bounded

UNBOUNDED = 1e308


class Setting(Protocol):
    """One setting of a gate."""

    def fault(self, value: Any) -> str:
        """Return what is wrong with a value, or nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """A finite number, within bounds if there are any.

    Attributes
    ----------
    low, high : float
        The bounds.
    whole : bool
        Whether it must be an integer.
    """

    low: float = -UNBOUNDED
    high: float = UNBOUNDED
    whole: bool = False

    def fault(self, value: Any) -> str:
        """Return what is wrong with a value.

        Parameters
        ----------
        value : Any
            From a policy.

        Returns
        -------
        str
            Empty if nothing is.
        """
        kinds = int if self.whole else int | float
        if not isinstance(value, bool) and isinstance(value, kinds) and self.low <= value <= self.high:
            return ""
        bounds = "" if self.low == -UNBOUNDED else f" from {self.low:g} to {self.high:g}"
        return f"must be a {'whole ' if self.whole else ''}number{bounds}, got {bounded(value)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """A list of names.

    Attributes
    ----------
    allowed : sequence of str
        The names it may hold.
    """

    allowed: Sequence[str]

    def fault(self, value: Any) -> str:
        """Return what is wrong with a value.

        Parameters
        ----------
        value : Any
            From a policy.

        Returns
        -------
        str
            Empty if nothing is.
        """
        if isinstance(value, list | tuple) and set(map(str, value)) <= set(self.allowed):
            return ""
        return f"is a list of {', '.join(self.allowed)}; got {bounded(value)}"
