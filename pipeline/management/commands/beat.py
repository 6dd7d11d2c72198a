"""`manage.py beat`: ring when something is due."""

import os
from typing import Any

from celery import current_app

from features.ground.command import ActionCommand
from pipeline.actions.schedules import ensure_schedules

ROLE = "beat"


class Command(ActionCommand):
    """Start Celery beat in this process; any number of beats is harmless."""

    help = __doc__

    def act(self, **options: Any) -> None:
        os.environ.setdefault("PROCESS_ROLE", ROLE)
        ensure_schedules()
        current_app.Beat(quiet=True, loglevel="INFO").run()
