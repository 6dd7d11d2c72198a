"""Apply the scheduled promotions that are due."""

from typing import Any

from features.ground.command import ActionCommand
from models_store.actions.apply_due import Due, apply_due


class Command(ActionCommand):
    help = "Applies scheduled promotions whose time has come, and ends requests whose time ran out, once."

    def act(self, **options: Any) -> Due:
        return apply_due()
