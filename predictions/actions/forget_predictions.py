"""Remove predictions past their days."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from features.ground.audit import record_audit
from predictions.models import Outcome, Prediction

BATCH = 2000


def forget_predictions(*, actor: str, dry_run: bool = False, now: datetime | None = None) -> int:
    """Remove predictions older than `prediction_log.keep_days`, with their outcomes; none where that is 0.

    Parameters
    ----------
    actor : str
        Who asks.
    dry_run : bool
        Count them and remove nothing.
    now : datetime, optional
        When age is counted from; by default the present.

    Returns
    -------
    int
        How many predictions went, or would go.
    """
    days = settings.CONFIG.prediction_log.keep_days
    if not days:
        return 0
    before = (now or timezone.now()) - timedelta(days=days)
    old = Prediction.objects.filter(at__lt=before)
    if dry_run:
        return old.count()
    gone = 0
    # A batch a transaction: whoever writes predictions waits for one of them at most.
    while keys := list(old.values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic(durable=True):
            Outcome.objects.filter(prediction__in=keys).delete()
            gone += Prediction.objects.filter(pk__in=keys).delete()[0]
    if gone:
        with transaction.atomic(durable=True):
            after = {"predictions": gone, "before": before.isoformat()}
            record_audit(
                actor=actor, action="predictions.prune", object_type="prediction", object_id="all", after=after
            )
    return gone
