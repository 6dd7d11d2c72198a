"""Check the audit's hash chain."""

from typing import Any

from django.core.management.base import CommandError

from features.ground.command import ActionCommand
from models_store.actions.verify_audit import verify_audit


class Command(ActionCommand):
    help = "Checks that no audit entry was changed, added between or taken out; exits 1 where one was."

    def act(self, **options: Any) -> dict[str, Any]:
        check = self.check_found = verify_audit()
        said = {"why": check.why} if check.why else {}
        return {"ok": check.ok, "entries": check.entries, "first_bad": check.first_bad, **said}

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        found = self.check_found
        if not found.ok:
            raise CommandError(
                f"audit_chain_broken: the chain breaks at entry {found.first_bad}: {found.why}", returncode=1
            )
