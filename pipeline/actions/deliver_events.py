"""Tell the configured targets what happened, each event once to each."""

import logging
import time
from dataclasses import dataclass

from features.ground.errors import DomainError
from models_store.actions.outbox import claim_delivery, fan_out, mark_delivered, mark_failed
from pipeline.actions.alerts import raise_alert
from pipeline.adapters.event_targets import targets

logger = logging.getLogger(__name__)
LEASE_SECONDS = 120
"""Longer than any attempt lasts: a target has 30 seconds at most."""

LONGEST_SECONDS = 60
"""How long one round goes on; what is left is the next one's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """What one round did.

    Attributes
    ----------
    delivered, failed : int
        Attempts that were taken, and that were not.
    """

    delivered: int
    failed: int


def deliver_events() -> Delivered:
    """Send what is due; what fails is tried again later, ever more rarely, and given up with an alert in the end.

    Returns
    -------
    Delivered
        How many attempts were taken and how many were not.
    """
    known, delivered, failed = targets(), 0, 0
    end = time.monotonic() + LONGEST_SECONDS
    while fan_out(known):
        pass
    while time.monotonic() < end and (claim := claim_delivery(known, lease_seconds=LEASE_SECONDS)):
        try:
            known[claim.target](claim)
        except DomainError as error:
            failed += 1
            logger.warning("event %s not taken by %s: %s", claim.event_id, claim.target, error.message)
            if mark_failed(claim, error.message):
                title = f"{claim.target} took no event in {claim.attempt} attempts"
                raise_alert(f"events:{claim.target}", title, detail=f"{claim.kind} {claim.event_id}: {error.message}")
        else:
            delivered += 1
            mark_delivered(claim)
    return Delivered(delivered=delivered, failed=failed)
