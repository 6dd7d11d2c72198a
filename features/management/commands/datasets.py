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
