"""Show a model's promotion policy, or change it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import CommandError

from features.ground.command import ActionCommand
from features.ground.errors import bounded
from models_store.actions.change_policy import change_policy
from models_store.core.policy import parse_policy
from models_store.core.spec import checked_name
from models_store.errors import PolicyError
from models_store.models import RegisteredModel


class Command(ActionCommand):
    help = "Shows the promotion policy of a model; with --file or --set, changes it."
    writes = True

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="MODEL")
        parser.add_argument("--file", type=Path, metavar="FILE.yaml", help="the whole policy, in place of this one")
        parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one key of it, in YAML")
        parser.add_argument("--reason", default="", help="why; needed for a change")

    def act(self, **options: Any) -> dict[str, Any]:
        model = RegisteredModel.objects.named(checked_name(options["model"]))
        if options["file"] is None and not options["set"]:
            return {"model": model.name, "policy": parse_policy(model.policy, model.task).as_dict()}
        if not options["reason"].strip():
            raise CommandError("a change of policy needs a --reason", returncode=2)
        asked = dict(model.policy) if options["file"] is None else _mapping(options["file"].read_text())
        for pair in options["set"]:
            key, mark, value = pair.partition("=")
            if not mark:
                raise CommandError(f"--set takes KEY=VALUE, got {bounded(pair)!r}", returncode=2)
            asked[key] = _yaml(value)
        changed = change_policy(model.name, asked, actor=options["actor"], reason=options["reason"])
        return {"model": changed.name, "policy": changed.policy}

    def text(self, result: dict[str, Any]) -> str:
        return str(yaml.safe_dump(result["policy"], sort_keys=False, allow_unicode=True)).rstrip()


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PolicyError(f"not YAML: {bounded(str(error))}") from error


def _mapping(text: str) -> dict[str, Any]:
    found = _yaml(text)
    if not isinstance(found, dict):
        raise PolicyError(f"a policy is a mapping, got {bounded(found)}")
    return found
