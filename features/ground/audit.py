"""The audit chain as every floor sees it: the registry keeps the chain and says here where entries go."""

from collections.abc import Mapping
from typing import Any, Protocol


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
