"""`features`: declare, list and read feature views."""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from features.actions.apply_feature_view import ViewPlan, apply_feature_view, plan_feature_view
from features.actions.label_history import HistoryResult, label_history
from features.adapters.definitions import read_definitions
from features.adapters.entities import read_entities
from features.ground.command import ActionCommand
from features.ground.progress import shown
from features.models import FeatureView


class Command(ActionCommand):
    help = "Declare feature views, list them, read their newest values."
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("apply", "list", "get", "history"))
        parser.add_argument("names", nargs="*", metavar="FILE.yaml | FILE.py | VIEW KEY… | VIEW…")
        parser.add_argument("--plan", action="store_true", help="show what apply would change and write nothing")
        parser.add_argument("--labels", type=Path, metavar="FILE", help="history: entities and times to ask for")
        parser.add_argument("--out", type=Path, metavar="FILE", help="history: where to write them with their values")
        parser.add_argument("--timestamp", default="", metavar="COL", help="history: the labels' time column")
        parser.add_argument("--timezone", default="", metavar="ZONE", help="history: of times that name none")

    def act(self, **options: Any) -> Any:
        names = options["names"]
        if options["what"] == "list":
            return {"views": [_described(view) for view in FeatureView.objects.newest()]}
        if options["what"] == "get":
            if len(names) < 2:
                raise CommandError("name a view and at least one key", returncode=2)
            return {"view": names[0], "rows": read_entities(names[0], names[1:]).rows}
        if options["what"] == "history":
            return _history(options)
        if not names:
            raise CommandError("name at least one file with feature views", returncode=2)
        definitions = [item for name in names for item in read_definitions(Path(name))]
        if options["plan"]:
            return {"plan": [plan_feature_view(item) for item in definitions]}
        return {"views": [_described(apply_feature_view(item, actor=options["actor"])) for item in definitions]}

    def text(self, result: Any) -> str:
        if isinstance(result, HistoryResult):
            return f"{result.rows:,} labels with {len(result.columns)} columns in {result.out}"
        if "rows" in result:
            return "\n".join(f"{row['key']}  {row['status']}{_values(row)}" for row in result["rows"])
        if "plan" in result:
            return "\n".join(_change(plan) for plan in result["plan"])
        lines = [
            f"{view['view']} v{view['version']} of {view['dataset']} by {', '.join(view['entity'])}: "
            f"{', '.join(view['features'])}; {_served(view['materialized_as_of'])}"
            for view in result["views"]
        ]
        return "\n".join(lines) or "no feature views yet: `features apply FILE.yaml` declares them"


def _history(options: dict[str, Any]) -> HistoryResult:
    views = [view for name in options["names"] for view in name.split(",") if view]
    if not (views and options["labels"] and options["out"]):
        raise CommandError("name a view, --labels FILE and --out FILE", returncode=2)
    how = {name: options[name] for name in ("labels", "out", "timestamp", "timezone")}
    with shown(f"history of {', '.join(views)}") as report:
        return label_history(views, **how, report=report)


def _values(row: dict[str, Any]) -> str:
    values = ", ".join(f"{name} {'-' if value is None else value}" for name, value in row["values"].items())
    return f"  as of {row['event_at']:%Y-%m-%dT%H:%M:%SZ}  {values}".rstrip() if row["event_at"] else ""


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
