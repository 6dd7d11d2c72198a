"""`manage.py run_due`: start what the schedules ask for."""

from typing import Any

from features.ground.command import ActionCommand
from pipeline.actions.schedules import DueResult, run_due


class Command(ActionCommand):
    """Enqueue every run that is due, once each, however often this is called."""

    help = __doc__

    def act(self, **options: Any) -> DueResult:
        return run_due()
