"""`manage.py deliver_events`: tell the configured targets what happened."""

from typing import Any

from features.ground.command import ActionCommand
from pipeline.actions.deliver_events import Delivered, deliver_events


class Command(ActionCommand):
    """Send the events that are due to Slack and the signed webhooks of the settings."""

    help = __doc__

    def act(self, **options: Any) -> Delivered:
        return deliver_events()
