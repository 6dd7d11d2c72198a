"""The audit chain as every floor sees it: the registry keeps the chain and says here where entries go."""

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from django.db import DatabaseError, transaction

from features.ground.errors import DomainError, bounded

logger = logging.getLogger(__name__)
Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class Recorder(Protocol):
    """Appends one entry to the audit chain, inside the transaction of the deed it records."""

    def __call__(
        self,
        *,
        actor: str,
        action: str,
        object_type: str,
        object_id: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        reason: str = "",
    ) -> object: ...


_recorders: list[Recorder] = []


def keep_audit_with(recorder: Recorder) -> None:
    """Say who keeps the chain; called once, when the registry's app is ready."""
    _recorders[:] = [recorder]


def record_audit(
    *,
    actor: str,
    action: str,
    object_type: str,
    object_id: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Append one entry to the audit chain, inside the transaction of the deed it records.

    Raises
    ------
    RuntimeError
        Where nobody keeps the chain: a deed that can't be audited must not happen.
    """
    if not _recorders:
        raise RuntimeError("no audit chain: the registry's app is not installed")
    _recorders[0](
        actor=actor,
        action=action,
        object_type=object_type,
        object_id=object_id,
        before=before,
        after=after,
        reason=reason,
    )


@contextmanager
def audited_refusals(
    *,
    actor: str,
    action: str,
    object_type: str,
    object_id: str,
    reason: str = "",
    asked: Mapping[str, Any] | None = None,
) -> Iterator[None]:
    """Record a refusal raised inside, in a transaction of its own, and let it rise.

    Run the action's own transactions inside, and leave them before raising. The entry's action is `<action>_refused`;
    what was asked for stands where other entries have what was before.
    """
    try:
        yield
    except DomainError as error:
        if not error.audited:
            try:
                with transaction.atomic(durable=True):
                    record_audit(
                        actor=actor,
                        action=f"{action}_refused",
                        object_type=object_type,
                        object_id=object_id,
                        before=asked,
                        after={"code": error.code, "error": error.message},
                        reason=reason,
                    )
            except DatabaseError:
                # The refusal stands, and is told as it is, where the database is what fails.
                logger.exception("a refusal could not be audited")
            error.audited = True
        raise


def refusals_audited(
    action: str, *, object_type: str, of: str
) -> Callable[[Callable[Asked, Answer]], Callable[Asked, Answer]]:
    """Record each refusal of an action about the object that `of` names: an argument, or `argument.field` of it.

    The action has an `actor`; a `dry_run` of it writes nothing, so it is not recorded either.
    """

    def around(function: Callable[Asked, Answer]) -> Callable[Asked, Answer]:
        signature = inspect.signature(function)

        @wraps(function)
        def audited(*args: Asked.args, **kwargs: Asked.kwargs) -> Answer:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            asked = bound.arguments
            if asked.get("dry_run"):
                return function(*args, **kwargs)
            with audited_refusals(
                actor=asked["actor"],
                action=action,
                object_type=object_type,
                object_id=_named(asked, of),
                reason=asked.get("reason") or "",
            ):
                return function(*args, **kwargs)

        return audited

    return around


def _named(asked: Mapping[str, Any], of: str) -> str:
    value: Any = asked
    for part in of.split("."):
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
    return bounded(str(value), 200)
