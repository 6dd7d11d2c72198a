"""`manage.py worker`: do the runs that are rung for."""

import os
import warnings
from typing import Any

from celery import current_app
from celery.platforms import SecurityWarning
from django.conf import settings
from django.core.management.base import CommandParser

from features.ground.command import ActionCommand
from pipeline.management.options import refuse_bad_estimators

ROLE = "worker"


class Command(ActionCommand):
    """Start a Celery worker in this process; it ends when it is told to."""

    help = __doc__

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--queues", default="default,training", help="comma-separated (default: both)")
        parser.add_argument("--concurrency", type=int, help="processes (default: jobs.concurrency)")

    def act(self, **options: Any) -> None:
        os.environ.setdefault("PROCESS_ROLE", ROLE)
        # It is about pickled messages from the queue, which are refused here.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        refuse_bad_estimators()
        processes = options["concurrency"] or settings.CONFIG.jobs.concurrency
        arguments = ["--queues", options["queues"], "--concurrency", str(processes), "--loglevel", "INFO"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        current_app.worker_main(["--quiet", "worker", *arguments, *quiet])
