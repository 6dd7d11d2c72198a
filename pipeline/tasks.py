"""The bell: what a Celery worker does when it is rung for, and who rings."""

import logging
from typing import Any
from uuid import UUID

from celery import current_app, shared_task
from celery.signals import worker_ready
from django.conf import settings
from kombu.exceptions import KombuError

from models_store.actions.apply_due import apply_due
from models_store.actions.verify_audit import checkpoint_audit
from models_store.errors import AuditBrokenError, NoSigningKeyError
from pipeline.actions import alerts, runs, schedules
from pipeline.actions import deliver_events as events
from pipeline.actions.guard_canaries import guard_canaries
from pipeline.adapters.processes import worker_name
from pipeline.models import Run
from predictions.actions.keep_partitions import keep_partitions

logger = logging.getLogger(__name__)
QUEUES = {Run.Kind.TRAIN: "training"}
DEFAULT_QUEUE = "default"


@shared_task(name="pipeline.execute_run", max_retries=3, default_retry_delay=30)  # type: ignore[untyped-decorator]  # celery is untyped
def execute_run(run_id: str) -> None:
    """Do a run, if it is still to be had."""
    runs.execute_run(UUID(run_id), worker=worker_name())


@shared_task(name="pipeline.sweep")  # type: ignore[untyped-decorator]  # celery is untyped
def sweep() -> None:
    """Put back what dead workers held."""
    runs.sweep_runs()


@shared_task(name="pipeline.run_due")  # type: ignore[untyped-decorator]  # celery is untyped
def run_due() -> None:
    """Start what is due."""
    schedules.run_due()


@shared_task(name="pipeline.start_run")  # type: ignore[untyped-decorator]  # celery is untyped
def start_run(**_: Any) -> None:
    """Start what is due: a schedule's own tick is one more bell, the slots decide."""
    schedules.run_due()


@shared_task(name="pipeline.deliver_alerts")  # type: ignore[untyped-decorator]  # celery is untyped
def deliver_alerts() -> None:
    """Send what is open to Slack."""
    alerts.deliver_alerts()


@shared_task(name="pipeline.deliver_events")  # type: ignore[untyped-decorator]  # celery is untyped
def deliver_events() -> None:
    """Send what happened to whom the settings name."""
    events.deliver_events()


@shared_task(name="pipeline.apply_due")  # type: ignore[untyped-decorator]  # celery is untyped
def apply_due_promotions() -> None:
    """Apply the promotions whose time has come."""
    apply_due()


@shared_task(name="pipeline.guard_canaries")  # type: ignore[untyped-decorator]  # celery is untyped
def guard() -> None:
    """Stop canaries that do harm."""
    guard_canaries()


@shared_task(name="pipeline.checkpoint_audit")  # type: ignore[untyped-decorator]  # celery is untyped
def sign_audit() -> None:
    """Sign the audit's head, where it is time and this worker holds the key."""
    try:
        checkpoint_audit(every_minutes=settings.CONFIG.audit.checkpoint_minutes)
    except NoSigningKeyError as error:
        logger.info("the audit is not signed here: %s", error.message)
    except AuditBrokenError as error:
        logger.critical("%s", error.message)
        alerts.raise_alert("audit", "the audit chain is broken", detail=error.message, severity="critical")


@shared_task(name="pipeline.keep_partitions")  # type: ignore[untyped-decorator]  # celery is untyped
def keep_days() -> None:
    """Make the partitions of the days to come."""
    keep_partitions()


def ring_for_run(run_id: UUID, kind: str) -> None:
    """Put the run's id on its queue."""
    _publish("pipeline.execute_run", [str(run_id)], QUEUES.get(Run.Kind(kind), DEFAULT_QUEUE))


def ring_for_alert() -> None:
    """Ask a worker to deliver alerts."""
    _publish("pipeline.deliver_alerts", [], DEFAULT_QUEUE)


@worker_ready.connect  # type: ignore[untyped-decorator]  # celery is untyped
def sweep_at_start(**_: Any) -> None:
    """Put back, before anything else, what died with the worker of before."""
    runs.sweep_runs()


def _publish(task: str, arguments: list[str], queue: str) -> None:
    try:
        current_app.send_task(task, arguments, queue=queue, retry=False)
    except (KombuError, OSError) as error:
        # The row is the job: the sweeper rings again.
        logger.warning("the queue can't be reached, %s waits for the sweeper: %s", task, error)
