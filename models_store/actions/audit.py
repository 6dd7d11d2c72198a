"""Append to the audit chain, and check it."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import structlog
from django.db import connection, transaction
from django.utils import timezone

from models_store.adapters.chain_lock import hold_chain_lock
from models_store.core.chain import GENESIS, Link, link_hash
from models_store.core.reasons import MAX_REASON
from models_store.core.text import finite, storable
from models_store.models import AuditEntry

LARGEST_EXACT = 1e15


def append_audit(
    *,
    actor: str,
    action: str,
    object_type: str,
    object_id: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> AuditEntry:
    """Append one entry to the chain, inside the transaction of what it records.

    Parameters
    ----------
    actor : str
        Who did it, such as `user:alice`.
    action : str
        What was done, such as `promote`; of a refusal, with `_refused` at its end.
    object_type, object_id : str
        To what.
    before, after : mapping, optional
        What changed; JSON-compatible.
    reason : str
        Why, in the actor's words; cut at 2000 characters.

    Returns
    -------
    AuditEntry
        The stored entry; the request id comes from the logging context.

    Raises
    ------
    TransactionManagementError
        Outside a transaction, where the entry and the deed could part.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("an audit entry belongs inside the transaction of its deed")
    hold_chain_lock()
    return _append(
        actor=storable(actor, 150),
        action=storable(action, 60),
        object_type=storable(object_type, 60),
        object_id=storable(object_id, 200),
        before=_fit(before),
        after=_fit(after),
        reason=storable(reason, MAX_REASON),
    )


def _append(**said: Any) -> AuditEntry:
    now = timezone.now()
    last = AuditEntry.objects.order_by("-id").values_list("hash", flat=True).first()
    link = Link(
        **said,
        at=now,
        request_id=_request_id(),
        previous_hash=last or GENESIS,
    )
    fields = {name: getattr(link, name) for name in Link.__dataclass_fields__}
    return AuditEntry.objects.create(**fields, hash=link_hash(link), created_at=now)


def _request_id() -> str:
    # Bound by the request, the command or the run that brought the deed about; a deed without one gets its own.
    return storable(str(structlog.contextvars.get_contextvars().get("request_id") or uuid4().hex), 100)


def _fit(value: Mapping[str, Any] | None) -> dict[str, Any]:
    return _storable(finite(value or {}))  # type: ignore[no-any-return]  # a mapping stays a dict


def _storable(value: Any) -> Any:
    if isinstance(value, dict):
        return {storable(key, 200): _storable(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_storable(part) for part in value]
    # Beyond this a database may give back digits that were never there, and the hash would not hold.
    if isinstance(value, float) and abs(value) >= LARGEST_EXACT:
        return repr(value)
    return storable(value, MAX_REASON) if isinstance(value, str) else value
