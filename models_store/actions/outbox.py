"""Say what happened, in the transaction of the deed, and keep account of who was told."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from features.ground.errors import bounded
from models_store.core.backoff import MAX_ATTEMPTS, wait_seconds
from models_store.core.text import finite
from models_store.models import Delivery, OutboxEvent

BATCH = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A delivery that this worker, and no other, is to make now.

    Attributes
    ----------
    delivery : int
        Number of the delivery.
    attempt : int
        Which attempt this is; its outcome counts only while it is the newest.
    target : str
        Whom to tell.
    event_id, kind : str
        Which event.
    at : datetime
        When it happened.
    payload : mapping
        What happened.
    """

    delivery: int
    attempt: int
    target: str
    event_id: str
    kind: str
    at: datetime
    payload: Mapping[str, Any]


def emit(kind: str, payload: Mapping[str, Any]) -> OutboxEvent:
    """Write an event, inside the transaction of what it tells.

    Parameters
    ----------
    kind : str
        What happened, such as `promotion.applied`.
    payload : mapping
        To what, by whom and why; JSON-compatible.

    Returns
    -------
    OutboxEvent
        Not yet sent to anybody.

    Raises
    ------
    TransactionManagementError
        Outside a transaction, where the event and the deed could part.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("an event belongs inside the transaction of its deed")
    return OutboxEvent.objects.create(kind=kind, payload=finite(payload))


def fan_out(targets: Collection[str]) -> int:
    """Write a delivery for each new event and each target there is now.

    An event for which there is no target is not kept for one that is added later.

    Parameters
    ----------
    targets : collection of str
        Names of the targets.

    Returns
    -------
    int
        How many events were looked at.
    """
    now = timezone.now()
    with transaction.atomic(durable=True):
        events = list(
            OutboxEvent.objects.filter(fanned_out_at=None).order_by("id").values_list("pk", flat=True)[:BATCH]
        )
        # Unique (event, target): of two workers that do this at once, the second adds nothing.
        Delivery.objects.bulk_create(
            (Delivery(event_id=event, target=target, next_at=now) for event in events for target in targets),
            ignore_conflicts=True,
        )
        OutboxEvent.objects.filter(pk__in=events).update(fanned_out_at=now)
    return len(events)


def claim_delivery(targets: Collection[str], *, lease_seconds: float) -> Claim | None:
    """Take the oldest delivery that is due, unless another worker has it.

    Parameters
    ----------
    targets : collection of str
        Targets whose addresses are known here.
    lease_seconds : float
        How long nobody else may take it; longer than an attempt lasts.

    Returns
    -------
    Claim or None
        None if nothing is due.
    """
    while True:
        now = timezone.now()
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        due = Delivery.objects.filter(free, state=Delivery.State.PENDING, next_at__lte=now, target__in=targets)
        found = due.select_related("event").order_by("next_at", "id").first()
        if found is None:
            return None
        with transaction.atomic(durable=True):
            # The count of attempts in the condition: of all workers that saw this row, one changes it.
            taken = due.filter(pk=found.pk, attempts=found.attempts).update(
                attempts=F("attempts") + 1, lease_until=now + timedelta(seconds=lease_seconds)
            )
        if taken:
            return Claim(
                delivery=found.pk,
                attempt=found.attempts + 1,
                target=found.target,
                event_id=str(found.event.event_id),
                kind=found.event.kind,
                at=found.event.created_at,
                payload=found.event.payload,
            )


def mark_delivered(claim: Claim) -> bool:
    """Note that a delivery was taken.

    Parameters
    ----------
    claim : Claim
        As it was claimed.

    Returns
    -------
    bool
        False if another worker has claimed it since.
    """
    return _mark(claim, state=Delivery.State.DELIVERED, delivered_at=timezone.now(), error="")


def mark_failed(claim: Claim, error: str) -> bool:
    """Note that a delivery was not taken: it is tried again later, and given up after the last attempt.

    Parameters
    ----------
    claim : Claim
        As it was claimed.
    error : str
        Why, without the target's address.

    Returns
    -------
    bool
        Whether it was given up.
    """
    dead = claim.attempt >= MAX_ATTEMPTS
    later = timezone.now() + timedelta(seconds=wait_seconds(claim.attempt))
    state = Delivery.State.DEAD if dead else Delivery.State.PENDING
    return _mark(claim, state=state, next_at=later, error=bounded(error, 300)) and dead


def _mark(claim: Claim, **changes: Any) -> bool:
    with transaction.atomic(durable=True):
        mine = Delivery.objects.filter(pk=claim.delivery, attempts=claim.attempt, state=Delivery.State.PENDING)
        return bool(mine.update(lease_until=None, **changes))
