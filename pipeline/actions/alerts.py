"""Say that something needs a person, once, and bring it to them."""

import logging
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from features.ground.errors import bounded
from pipeline.adapters import slack
from pipeline.adapters.clock import from_now
from pipeline.errors import AlertDeliveryError
from pipeline.models import Alert
from pipeline.signals import alert_raised

logger = logging.getLogger(__name__)
DELIVERY_LEASE_SECONDS = 60
TOO_OLD_SECONDS = 86_400
BATCH = 20


def raise_alert(
    key: str,
    title: str,
    *,
    detail: str = "",
    severity: str = Alert.Severity.WARNING,
    run_id: UUID | None = None,
) -> Alert:
    """Open an alert, or count the open one of the same key once more.

    Parameters
    ----------
    key : str
        What it is about, at most 200 characters.
    title : str
        One line for a person.
    detail : str
        What else helps.
    severity : str
        `warning` or `critical`.
    run_id : UUID, optional
        The run it comes from.

    Returns
    -------
    Alert
        Open.
    """
    alert = Alert(key=key[:200], title=bounded(title, 300), detail=detail, severity=severity, run_id=run_id)
    if _count_again(alert):
        return Alert.objects.get(key=alert.key, state=Alert.State.OPEN)
    try:
        with transaction.atomic(durable=True):
            alert.last_at = Now()
            alert.save(force_insert=True)
            transaction.on_commit(partial(alert_raised.send, sender=Alert, alert_id=alert.pk), robust=True)
    except IntegrityError:
        # Somebody else opened it between the two statements.
        _count_again(alert)
        return Alert.objects.get(key=alert.key, state=Alert.State.OPEN)
    alert.refresh_from_db()
    return alert


def _count_again(alert: Alert) -> bool:
    with transaction.atomic(durable=True):
        opened = Alert.objects.filter(key=alert.key, state=Alert.State.OPEN)
        return bool(opened.update(times=F("times") + 1, last_at=Now(), detail=alert.detail))


def close_alert(key: str) -> bool:
    """Close the open alert of a key, because what it was about is over.

    Parameters
    ----------
    key : str
        As it was raised.

    Returns
    -------
    bool
        Whether one was open.
    """
    with transaction.atomic(durable=True):
        return bool(Alert.objects.filter(key=key[:200], state=Alert.State.OPEN).update(state=Alert.State.CLOSED))


def deliver_alerts() -> int:
    """Send open alerts to Slack, each once; those that fail are tried again after a minute.

    Nothing is sent, and nothing marked, while `alerts.slack_webhook` is not set.

    Returns
    -------
    int
        How many were delivered.
    """
    webhook = settings.CONFIG.alerts.slack_webhook.get_secret_value()
    if not webhook:
        return 0
    waiting = Alert.objects.filter(_undelivered(), state=Alert.State.OPEN, created_at__gt=from_now(-TOO_OLD_SECONDS))
    delivered = 0
    for alert in waiting.order_by("created_at")[:BATCH]:
        if not _take(alert):
            continue
        try:
            slack.post(webhook, slack.text_of(alert), timeout_s=settings.CONFIG.alerts.timeout_s)
        except AlertDeliveryError as error:
            logger.warning("alert %s not delivered: %s", alert.pk, error.message)
            break
        _mark(alert)
        delivered += 1
    return delivered


def _undelivered() -> Q:
    return Q(delivered_at=None) & (Q(delivery_lease_until=None) | Q(delivery_lease_until__lt=Now()))


def _take(alert: Alert) -> bool:
    with transaction.atomic(durable=True):
        free = Alert.objects.filter(_undelivered(), pk=alert.pk)
        return bool(free.update(delivery_lease_until=from_now(DELIVERY_LEASE_SECONDS)))


def _mark(alert: Alert) -> None:
    with transaction.atomic(durable=True):
        Alert.objects.filter(pk=alert.pk).update(delivered_at=Now(), delivery_lease_until=None)
