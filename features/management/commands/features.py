"""`features`: declare, list and read feature views."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from features.actions.apply_feature_view import apply_feature_view, plan_feature_view
from features.adapters.online import read_online
from features.adapters.yaml_files import read_definitions
from features.ground.command import ActionCommand
from features.models import FeatureView


class Command(ActionCommand):
    help = "Declare feature views, list them, read their newest values."
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("apply", "list", "get"))
        parser.add_argument("names", nargs="*", metavar="FILE.yaml | VIEW KEY…")
        parser.add_argument("--plan", action="store_true", help="show what apply would change and write nothing")

    def act(self, **options: Any) -> dict[str, Any]:
        names = options["names"]
        if options["what"] == "list":
            return {"views": [_described(view) for view in FeatureView.objects.newest()]}
        if options["what"] == "get":
            view, *keys = names or [""]
            return {"view": view, "rows": read_online(view, keys)}
        definitions = [item for name in names for item in read_definitions(Path(name))]
        if options["plan"]:
            return {"plan": [plan_feature_view(item) for item in definitions]}
        return {"views": [_described(apply_feature_view(item, actor=options["actor"])) for item in definitions]}


def _described(view: FeatureView) -> dict[str, Any]:
    return {
        "view": view.name,
        "version": view.version,
        "dataset": view.dataset.name,
        "entity": view.entity_columns,
        "ttl_seconds": view.ttl_seconds,
        "features": [feature["name"] for feature in view.aggregations],
        "materialized_as_of": view.live_snapshot.as_of if view.live_snapshot else None,
    }
