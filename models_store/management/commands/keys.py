"""List, make, rotate and trust the keys that sign artefacts and bundles."""

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from features.ground.command import ActionCommand
from models_store.actions.manage_keys import ChangedKeys, new_key, rotate_key, trust_keys
from models_store.adapters.key_files import known_keys
from models_store.management.lines import table
from models_store.models import ModelVersion

WITH_FILE = {"new": new_key, "trust": trust_keys}


class Command(ActionCommand):
    help = "Lists the keys whose signatures count here; makes a pair, rotates this installation's own, trusts others."
    writes = True

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("deed", choices=("list", "new", "rotate", "trust"), help="what to do")
        parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="new: made; trust: read")

    def act(self, **options: Any) -> ChangedKeys | dict[str, Any]:
        deed, file = options["deed"], options["file"]
        if (file is not None) != (deed in WITH_FILE):
            raise CommandError(f"keys {deed} takes {'a FILE' if deed in WITH_FILE else 'no FILE'}", returncode=2)
        if deed in WITH_FILE:
            return WITH_FILE[deed](file, actor=options["actor"])
        if deed == "rotate":
            return rotate_key(actor=options["actor"])
        signed = Counter(ModelVersion.objects.values_list("key_id", flat=True))
        names = ("key_id", "public_key", "signs", "kept_in")
        listed = [{name: getattr(key, name) for name in names} for key in known_keys()]
        return {"keys": [{**key, "versions": signed[key["key_id"]]} for key in listed]}

    def text(self, result: Any) -> str:
        if isinstance(result, ChangedKeys):
            return super().text(result)
        return table(result["keys"], ("key_id", "signs", "versions", "kept_in", "public_key"))
