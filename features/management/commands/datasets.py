"""`datasets`: what there is, and how good it was."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Count, Max

from features.adapters.profiles import changes_since, stored_profile
from features.adapters.quarantine import open_quarantine
from features.core.profile import ColumnSummary
from features.ground.command import ActionCommand
from features.ground.errors import bounded
from features.models import Dataset, DatasetVersion


class Command(ActionCommand):
    help = "List the datasets, or show one with its schema and versions, or the profile of one of its versions."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", metavar="NAME[@N]")
        parser.add_argument(
            "--profile", action="store_true", help="what the columns of a version hold, and what changed since the last"
        )

    def act(self, **options: Any) -> dict[str, Any]:
        if options["profile"]:
            if not options["name"]:
                raise CommandError("name the dataset whose profile is asked for", returncode=2)
            return _profile(DatasetVersion.objects.resolve(options["name"]))
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
        return "\n".join(_profile_lines(result) if "profile" in result else _dataset_lines(result))


def _dataset_lines(result: dict[str, Any]) -> list[str]:
    columns = [f"  {c['name']:<24}{c['dtype']:<11}{c['role']:<11}{_limits(c)}" for c in result["schema"]]
    versions = [
        f"  @{v['version']:<4}{v['rows_valid']:>12,} valid{v['rows_rejected']:>10,} in quarantine  {_fate(v)}"
        + "".join(f"\n       {w['rule']}: {w['observed']}, allowed: {w['allowed']}" for w in v["warnings"])
        for v in result["versions"]
    ]
    contract = f"contract {result['contract']['number']}, {result['contract']['state']}"
    head = f"{result['name']}, {len(columns)} columns, {contract}; {result['quarantined']:,} rows wait in quarantine:"
    return [head, *columns, "versions:", *versions]


def _fate(version: dict[str, Any]) -> str:
    done = "" if version["mode"] == "append" else f"{version['mode']} of {version['rows_replaced']:,} rows, "
    gone = "rows removed, " if version["pruned_at"] else ""
    return f"{gone}{done}{version['source']}"


def _limits(column: dict[str, Any]) -> str:
    parts = ["" if column["nullable"] else "required"]
    parts += [word for word in ("unique", "pii") if column.get(word)]
    shown = ("min", "max", "allowed", "pattern", "unit")
    parts += [f"{name} {bounded(column[name], 80)}" for name in shown if column.get(name) is not None]
    return ", ".join(filter(None, parts))


def _one(dataset: Dataset) -> dict[str, Any]:
    state = dataset.contracts.filter(number=dataset.contract_number).values_list("state", flat=True).first()
    return {
        "name": dataset.name,
        "schema": dataset.schema,
        "rules": dataset.rules,
        "quality_policy": dataset.quality_policy,
        "timezone": dataset.timezone,
        "contract": {"number": dataset.contract_number, "state": state or "proposed"},
        "quarantined": open_quarantine(dataset),
        "versions": [_version(version) for version in dataset.versions.order_by("number")],
    }


def _version(version: DatasetVersion) -> dict[str, Any]:
    names: tuple[str, ...] = ("fingerprint", "rows_valid", "rows_rejected", "rows_total", "reasons")
    names = (*names, "first_event_at", "last_event_at", "contract_number", "warnings", "source", "created_at")
    names = (*names, "mode", "rows_replaced", "pruned_at")
    return {"version": version.number, **{name: getattr(version, name) for name in names}}


def _profile(version: DatasetVersion) -> dict[str, Any]:
    changes = [{**_plain(change), "text": change.text()} for change in changes_since(version)]
    return {
        "dataset": version.dataset.name,
        "version": version.number,
        "profile": [_plain(summary) for summary in stored_profile(version)],
        "changes": changes,
    }


def _plain(item: Any) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__dataclass_fields__}


def _profile_lines(result: dict[str, Any]) -> list[str]:
    lines = [f"{result['dataset']}@{result['version']}:"]
    lines += [_summary_line(ColumnSummary(**one)) for one in result["profile"]]
    changes = [f"  {change['text']}" for change in result["changes"]]
    return [*lines, "changed since the version before:", *(changes or ["  nothing worth telling"])]


def _summary_line(summary: ColumnSummary) -> str:
    share = summary.missing / max(summary.rows, 1)
    about = "about " if "distinct" in summary.histogram.get("approximate", ()) else ""
    facts = [f"{share:.1%} missing", f"{about}{summary.distinct} distinct"]
    if summary.minimum:
        facts.append(f"{bounded(summary.minimum, 40)} to {bounded(summary.maximum, 40)}")
    if summary.mean is not None:
        facts.append(f"mean {summary.mean:.4g}")
    if "values" in summary.histogram:
        top = zip(summary.histogram["values"], summary.histogram["counts"], strict=True)
        facts.append(", ".join(f"{bounded(value, 20)} × {count}" for value, count in list(top)[:3]))
    return f"  {summary.column:<24}{summary.dtype:<11}{', '.join(facts)}"
