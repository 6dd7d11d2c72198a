"""Check the audit's hash chain."""

from typing import Any

from django.core.management.base import CommandError

from features.ground.command import ActionCommand
from models_store.actions.audit import verify_audit
from models_store.core.chain import ChainCheck


class Command(ActionCommand):
    help = "Checks that no audit entry was changed, added between or taken out; exits 1 where one was."

    def act(self, **options: Any) -> ChainCheck:
        self.check_found = verify_audit()
        return self.check_found

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not self.check_found.ok:
            raise CommandError(
                f"audit_chain_broken: the chain breaks at entry {self.check_found.first_bad}", returncode=1
            )
