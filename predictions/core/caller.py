"""Who asks, and which models they may ask."""

from collections.abc import Sequence
from dataclasses import dataclass

from features.ground.errors import bounded
from features.ground.role_names import ADMIN
from predictions.errors import ModelForbiddenError


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """A verified caller.

    Parameters
    ----------
    name : str
        As `user:NAME`, `service:NAME` or `key:NAME`.
    roles : tuple of str
        Roles held.
    models : frozenset of str, optional
        The only models a key is good for; any if None.
    """

    name: str
    roles: tuple[str, ...]
    models: frozenset[str] | None = None


def check_may_call(caller: Caller | None, name: str, model: str, callers: Sequence[str]) -> None:
    """Refuse somebody who may not ask a model.

    Parameters
    ----------
    caller : Caller or None
        Who asks through a door that verifies; None for a shell or a job, which may ask any.
    name : str
        Who asks, by name.
    model : str
        The model.
    callers : sequence of str
        Who its policy lets in, by name or as `role:ROLE`; anybody if empty.

    Raises
    ------
    ModelForbiddenError
        If a key is not good for the model, or its policy does not let the caller in.
    """
    if caller is None:
        # A key that came through a door which does not know what it is good for is good for nothing.
        if name.startswith("key:"):
            raise ModelForbiddenError("this key can't be used here", model=model)
        return
    if caller.models is not None and model not in caller.models:
        allowed = bounded(", ".join(sorted(caller.models)), 200)
        raise ModelForbiddenError(f"this key is good for {allowed}, not for {model}", model=model)
    admitted = not callers or caller.name in callers or any(f"role:{role}" in callers for role in caller.roles)
    if not admitted and ADMIN not in caller.roles:
        raise ModelForbiddenError(f"{caller.name} may not ask {model}: its policy names who may", model=model)
