"""`manage.py sweep`: put back what dead workers held."""

from typing import Any

from features.ground.command import ActionCommand
from pipeline.actions.runs import SweepResult, sweep_runs


class Command(ActionCommand):
    """Put back runs with an expired lease, fail those out of attempts, ring again for forgotten ones."""

    help = __doc__

    def act(self, **options: Any) -> SweepResult:
        return sweep_runs()
