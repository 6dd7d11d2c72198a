"""Show a version's model card, or write what people say on it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from features.ground.command import ActionCommand
from features.ground.errors import bounded
from features.ground.files import write_atomic
from models_store.actions.edit_card import edit_card
from models_store.actions.model_card import card_history, card_of, model_card, written_parts
from models_store.core.card import missing_parts
from models_store.core.spec import parse_spec
from models_store.models import ModelVersion, RegisteredModel


class Command(ActionCommand):
    help = "Shows the model card of MODEL@N; of MODEL what people have written on it, and with --set writes it."
    writes = True

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("spec", metavar="MODEL[@N]")
        parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the card of MODEL@N to a file")
        parser.add_argument("--set", action="append", default=[], metavar="PART=TEXT", help="an empty text removes it")
        parser.add_argument("--reason", default="", help="why; needed for a change")

    def act(self, **options: Any) -> dict[str, Any]:
        spec = parse_spec(options["spec"])
        if spec.number is not None:
            return _of_version(ModelVersion.objects.resolve(str(spec)), options)
        if options["out"]:
            raise CommandError("--out writes the card of one version: name it as MODEL@N", returncode=2)
        if options["set"]:
            parts = dict(map(_pair, options["set"]))
            model = edit_card(spec.model, parts, reason=options["reason"], actor=options["actor"])
        else:
            model = RegisteredModel.objects.named(spec.model)
        written = written_parts(model)
        history = [entry.as_dict() for entry in card_history(model)]
        return {"model": model.name, "written": written, "missing": missing_parts(written), "history": history}

    def text(self, result: dict[str, Any]) -> str:
        if "markdown" in result:
            return str(result["markdown"]).rstrip()
        if "file" in result:
            return f"{result['model']}@{result['version']}: written to {result['file']}"
        parts = [f"{part}:\n{text or '-'}" for part, text in result["written"].items()]
        changes = [f"{row['at']:%Y-%m-%d %H:%M} {row['actor']}: {row['reason']}" for row in result["history"]]
        return "\n\n".join([*parts, *(["changed:\n" + "\n".join(changes)] if changes else [])])


def _of_version(version: ModelVersion, options: dict[str, Any]) -> dict[str, Any]:
    if options["set"]:
        raise CommandError("a card is written for a model, not for one version: leave out @N", returncode=2)
    if options["out"]:
        write_atomic(options["out"], model_card(version).encode())
        return {"model": version.model.name, "version": version.number, "file": options["out"]}
    return card_of(version) if options["json"] else {"markdown": model_card(version)}


def _pair(text: str) -> tuple[str, str]:
    part, mark, value = text.partition("=")
    if not mark:
        raise CommandError(f"--set takes PART=TEXT, got {bounded(text)!r}", returncode=2)
    return part.strip(), value
