"""`schema`: a dataset's contract: shown, edited, approved, as a file, through time."""

from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import CommandError, CommandParser

from features.actions.approve_contract import approve_contract
from features.actions.contract import stored_contract
from features.actions.edit_contract import (
    ContractPreview,
    edit_contract,
    preview_edit,
    preview_replacement,
    replace_contract,
)
from features.adapters.yaml_files import contract_yaml, read_schema, said
from features.core.contract_edits import Change, is_literal, read_changes
from features.ground.command import ActionCommand
from features.ground.files import write_atomic
from features.models import ContractVersion, Dataset

DEEDS = ("set", "import", "approve", "export", "history", "report")


class Command(ActionCommand):
    help = "Show a dataset's contract, edit or approve it, write it to a file or take it from one."
    writes = True
    has_preview = True

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dataset")
        parser.add_argument("--set", action="append", metavar="PATH=VALUE", help="change what is said at a path")
        parser.add_argument("--import", type=Path, metavar="FILE.yaml", help="put this contract in its place")
        parser.add_argument("--approve", action="store_true", help="approve the contract in force")
        parser.add_argument("--export", type=Path, metavar="FILE.yaml", help="write the contract to this file")
        parser.add_argument("--history", action="store_true", help="show all versions of the contract")
        parser.add_argument("--report", action="store_true", help="show what the contract was inferred from")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept with the edit or approval")
        parser.add_argument("--expect", type=int, metavar="N", help="refuse unless contract N is in force")

    def act(self, **options: Any) -> dict[str, Any]:
        asked = [deed for deed in DEEDS if options[deed]]
        if len(asked) > 1:
            raise CommandError(f"ask for one of {', '.join(f'--{deed}' for deed in DEEDS)}", returncode=2)
        dataset = Dataset.objects.named(options["dataset"])
        if asked in (["set"], ["import"]):
            return _edit(dataset.name, options)
        if asked == ["approve"]:
            how = {key: options[key] for key in ("reason", "actor")}
            return _version(approve_contract(dataset.name, number=options["expect"], **how))
        return _SHOWN[asked[0] if asked else ""](dataset, options)

    def text(self, result: dict[str, Any]) -> str:
        if "columns" in result and "quality_policy" in result:
            shown = contract_yaml(stored_contract(Dataset.objects.named(result["dataset"]))).rstrip()
            return f"# contract {result['contract']}, {result['state']}\n{shown}"
        if "history" in result:
            return "\n".join(line for one in result["history"] for line in _lines(one))
        if "report" in result:
            return yaml.safe_dump(result["report"], sort_keys=False, allow_unicode=True).rstrip()
        if "breaking" in result:
            return "\n".join(_preview_lines(result)) or "nothing would change"
        return "\n".join(_lines(result)) if "changes" in result else super().text(result)


def _edit(name: str, options: dict[str, Any]) -> dict[str, Any]:
    how = {key: options[key] for key in ("reason", "actor")} | {"expected": options["expect"]}
    if path := options["import"]:
        contract = read_schema(path)
        if options["dry_run"]:
            return _preview(preview_replacement(name, contract=contract))
        return _version(replace_contract(name, contract=contract, **how))
    texts = read_changes(options["set"])
    changes = {path: said(text, literal=is_literal(path)) for path, text in texts.items()}
    if options["dry_run"]:
        return _preview(preview_edit(name, changes=changes))
    return _version(edit_contract(name, changes=changes, **how))


def _version(version: ContractVersion) -> dict[str, Any]:
    names = ("number", "state", "reason", "actor", "approved_by", "approved_at", "created_at", "changes")
    return {"dataset": version.dataset.name, **{name: getattr(version, name) for name in names}}


def _preview(preview: ContractPreview) -> dict[str, Any]:
    changes = [{"path": one.path, "before": one.before, "after": one.after} for one in preview.changes]
    return {"dataset": preview.dataset, "contract": preview.contract, "changes": changes, "breaking": preview.breaking}


def _current(dataset: Dataset) -> ContractVersion | None:
    return dataset.contracts.filter(number=dataset.contract_number).first()


def _show(dataset: Dataset, _options: dict[str, Any]) -> dict[str, Any]:
    current = _current(dataset)
    contract = stored_contract(dataset)
    told = {"contract": contract.number, "state": current.state if current else ContractVersion.State.PROPOSED}
    return {"dataset": dataset.name, **told, **contract.version_fields()}


def _export(dataset: Dataset, options: dict[str, Any]) -> dict[str, Any]:
    write_atomic(options["export"], contract_yaml(stored_contract(dataset)).encode())
    return {"dataset": dataset.name, "columns": len(dataset.schema), "file": options["export"]}


def _history(dataset: Dataset, _options: dict[str, Any]) -> dict[str, Any]:
    return {"dataset": dataset.name, "history": [_version(one) for one in dataset.contracts.order_by("-number")]}


def _report(dataset: Dataset, _options: dict[str, Any]) -> dict[str, Any]:
    first = dataset.contracts.order_by("number").first()
    return {"dataset": dataset.name, "report": first.report if first else {}}


_SHOWN = {"": _show, "export": _export, "history": _history, "report": _report}


def _lines(version: dict[str, Any]) -> list[str]:
    approved = f", approved by {version['approved_by']}" if version["approved_by"] else ""
    reason = f": {version['reason']}" if version["reason"] else ""
    head = f"contract {version['number']} by {version['actor']}, {version['state']}{approved}{reason}"
    return [head, *(f"  {Change(**change).text()}" for change in version["changes"])]


def _preview_lines(preview: dict[str, Any]) -> list[str]:
    lines = []
    for change in preview["changes"]:
        count = preview["breaking"].get(change["path"])
        stored = f"  (stored rows that don't meet it: {count:,})" if count else ""
        lines.append(f"{Change(**change).text()}{stored}")
    return lines
