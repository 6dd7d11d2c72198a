"""Apply the promotions whose time has come, and end the requests whose time has run out."""

import logging
from dataclasses import dataclass

from django.utils import timezone

from features.ground.errors import DomainError
from models_store.actions.decide_stored import decide_stored, expire_overdue
from models_store.actions.promote import concluded
from models_store.core.calendar import HELD
from models_store.core.policy import parse_policy
from models_store.models import PromotionRequest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """What one look at the open requests did.

    Attributes
    ----------
    applied, ended, expired : list of int
        Numbers of the requests that were applied, that ended otherwise, and that have expired.
    """

    applied: list[int]
    ended: list[int]
    expired: list[int]


def apply_due() -> Due:
    """Take up each scheduled request that is due, through the same door as a fresh one.

    Safe to repeat and to run in several processes: each request is decided on under its model's lock.

    Returns
    -------
    Due
        What was done.
    """
    expired = expire_overdue()
    now = timezone.now()
    scheduled = PromotionRequest.objects.filter(state=PromotionRequest.State.SCHEDULED).exclude(not_before__gt=now)
    applied: list[int] = []
    ended: list[int] = []
    for request in scheduled.select_related("version__model").order_by("not_before", "pk"):
        try:
            if _is_open(request) and _applied(request):
                applied.append(request.pk)
        except DomainError as error:
            # One request that can't be applied must not stop the others; it is stored, audited and told.
            logger.warning("request %s was not applied: %s", request.pk, error.message)
            ended.append(request.pk)
    return Due(applied=applied, ended=ended, expired=expired)


def _is_open(request: PromotionRequest) -> bool:
    """Tell whether the policy lets it be applied now, before any evidence is gathered for it."""
    model = request.version.model
    calendar = parse_policy(model.policy, model.task).calendar
    return request.target_stage not in HELD or calendar.is_open(timezone.now())


def _applied(request: PromotionRequest) -> bool:
    promotion = concluded(decide_stored(request.pk), request.version.model.name, request.requester)
    if promotion.warning:
        logger.warning("request %s: %s", request.pk, promotion.warning)
    return promotion.state == PromotionRequest.State.APPLIED
