"""`manage.py doctor`: check what the product stands on."""

from typing import Any

from django.core.management.base import CommandError

from features.ground.command import ActionCommand
from mlsite.checkup import examine


class Command(ActionCommand):
    """Check config, database, migrations, broker, cache, storage, keys, clock and versions."""

    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if failed := [check.name for check in self.found if not check.ok]:
            raise CommandError(f"not well: {', '.join(failed)}", returncode=1)

    def act(self, **options: Any) -> dict[str, Any]:
        self.found = examine()
        return {"checks": self.found}

    def text(self, result: dict[str, Any]) -> str:
        return "\n".join(f"{'ok  ' if check.ok else 'FAIL'} {check.name:<10} {check.detail}" for check in self.found)
