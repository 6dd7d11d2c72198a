"""`datasets`: what there is, and how good it was."""

from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Count, Max

from features.ground.command import ActionCommand
from features.models import Dataset, DatasetVersion


class Command(ActionCommand):
    help = "List the datasets, or show one with its schema and versions."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?")

    def act(self, **options: Any) -> dict[str, Any]:
        if options["name"]:
            return _one(Dataset.objects.named(options["name"]))
        counted = Dataset.objects.annotate(versions_made=Count("versions"), rows=Max("versions__rows_total"))
        listed = counted.values("name", "versions_made", "rows")
        return {
            "datasets": [
                {"name": one["name"], "versions": one["versions_made"], "rows": one["rows"] or 0} for one in listed
            ]
        }

    def text(self, result: dict[str, Any]) -> str:
        if "datasets" in result:
            lines = [f"{one['name']:<24}{one['versions']:>10}{one['rows']:>14,}" for one in result["datasets"]]
            return "\n".join([f"{'dataset':<24}{'versions':>10}{'rows':>14}", *lines])
        columns = [f"  {c['name']:<24}{c['dtype']:<11}{c['role']:<11}{_limits(c)}" for c in result["schema"]]
        versions = [
            f"  @{v['version']:<4}{v['rows_valid']:>12,} valid{v['rows_rejected']:>10,} in quarantine  {v['source']}"
            for v in result["versions"]
        ]
        return "\n".join([f"{result['name']}, {len(columns)} columns:", *columns, "versions:", *versions])


def _limits(column: dict[str, Any]) -> str:
    parts = ["" if column["nullable"] else "required"]
    parts += [f"{name} {column[name]}" for name in ("min", "max", "allowed") if column.get(name) is not None]
    return ", ".join(filter(None, parts))


def _one(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "schema": dataset.schema,
        "quality_policy": dataset.quality_policy,
        "versions": [_version(version) for version in dataset.versions.order_by("number")],
    }


def _version(version: DatasetVersion) -> dict[str, Any]:
    names = ("fingerprint", "rows_valid", "rows_rejected", "rows_total", "reasons", "first_event_at", "last_event_at")
    return {"version": version.number, **{name: getattr(version, name) for name in (*names, "source", "created_at")}}
