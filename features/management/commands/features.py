"""`features`: declare, list and read feature views."""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from features.actions.apply_feature_view import ViewPlan, apply_feature_view, plan_feature_view
from features.adapters.definitions import read_definitions
from features.adapters.online import OnlineRow, read_online
from features.ground.command import ActionCommand
from features.models import FeatureView


class Command(ActionCommand):
    help = "Declare feature views, list them, read their newest values."
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("apply", "list", "get"))
        parser.add_argument("names", nargs="*", metavar="FILE.yaml | FILE.py | VIEW KEY…")
        parser.add_argument("--plan", action="store_true", help="show what apply would change and write nothing")

    def act(self, **options: Any) -> dict[str, Any]:
        names = options["names"]
        if options["what"] == "list":
            return {"views": [_described(view) for view in FeatureView.objects.newest()]}
        if options["what"] == "get":
            if len(names) < 2:
                raise CommandError("name a view and at least one key", returncode=2)
            view, *keys = names
            return {"view": view, "rows": read_online(view, keys)}
        if not names:
            raise CommandError("name at least one file with feature views", returncode=2)
        definitions = [item for name in names for item in read_definitions(Path(name))]
        if options["plan"]:
            return {"plan": [plan_feature_view(item) for item in definitions]}
        return {"views": [_described(apply_feature_view(item, actor=options["actor"])) for item in definitions]}

    def text(self, result: dict[str, Any]) -> str:
        if "rows" in result:
            return "\n".join(f"{row.key}  {row.status}{_values(row)}" for row in result["rows"])
        if "plan" in result:
            return "\n".join(_change(plan) for plan in result["plan"])
        lines = [
            f"{view['view']} v{view['version']} of {view['dataset']} by {', '.join(view['entity'])}: "
            f"{', '.join(view['features'])}; {_served(view['materialized_as_of'])}"
            for view in result["views"]
        ]
        return "\n".join(lines) or "no feature views yet: `features apply FILE.yaml` declares them"


def _values(row: OnlineRow) -> str:
    values = ", ".join(f"{name} {'-' if value is None else value}" for name, value in row.values.items())
    return f"  as of {row.event_at:%Y-%m-%dT%H:%M:%SZ}  {values}".rstrip() if row.event_at else ""


def _change(plan: ViewPlan) -> str:
    return "\n".join([f"{plan.view} v{plan.version}: {plan.change}", *(f"  {change}" for change in plan.changes)])


def _served(as_of: datetime | None) -> str:
    return f"served as of {as_of:%Y-%m-%dT%H:%M:%SZ}" if as_of else "not materialized"


def _described(view: FeatureView) -> dict[str, Any]:
    return {
        "view": view.name,
        "version": view.version,
        "dataset": view.dataset.name,
        "entity": view.entity_columns,
        "ttl_seconds": view.ttl_seconds,
        "features": view.feature_names,
        "tests": [test["name"] for test in view.tests],
        "description": view.description,
        "owner": view.owner,
        "materialized_as_of": view.live_snapshot.as_of if view.live_snapshot else None,
    }
