"""The page of a feature view: what it defines, how fresh its values are, a few of them, and how it came to be so."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone
from django.utils.html import format_html_join

from features.adapters.online import OnlineRow, read_online, served_keys
from features.admin.contracts import words
from features.admin.freshness import freshness_drawing
from features.admin.lineage import view_lineage
from features.admin.panels import SHOWN, snapshots_table
from features.ground.console import ago, link, mono, number
from features.ground.errors import DomainError, bounded
from features.ground.panels import Code, Facts, Figures, Panel, Table
from features.ground.unfold import badge
from features.models import FeatureView

SAMPLE = 10
VERSIONS = 20
STATUS_KINDS = {"present": "success", "expired": "warning", "missing": "danger"}
UNITS = ((86400, "d"), (3600, "h"), (60, "min"))
PARTS = ("aggregations", "derived", "tests")
PLAIN = ("dataset_id", "entity_columns", "ttl_seconds")


def view_panels(obj: FeatureView) -> list[Panel]:
    """Return a view's page."""
    return [
        freshness_figures(obj),
        about_facts(obj),
        next_step(obj),
        freshness_drawing(obj, span(obj.ttl_seconds)),
        features_table(obj),
        derived_table(obj),
        tests_table(obj),
        sample_table(obj),
        view_lineage(obj),
        versions_table(obj),
        snapshots_table(obj.snapshots.all()[:SHOWN]),
    ]


def freshness_figures(obj: FeatureView) -> Figures:
    """Return how many values are served and how old they are."""
    live = obj.live_snapshot
    newest = live.dataset_version.last_event_at if live else None
    count = len(obj.feature_names)
    expired = bool(newest and obj.ttl_seconds and (timezone.now() - newest).total_seconds() > obj.ttl_seconds)
    state = badge("expired for all", "warning") if expired else "of the data they are from"
    return Figures(
        title="Online values",
        note=obj.description,
        wide=True,
        figures=[
            ("Entities", number(live.rows if live else None), "with online values" if live else "none yet", ""),
            ("Made", ago(live.created_at if live else None), f"as of {moment(live)}" if live else "never", ""),
            ("Newest event", ago(newest), state if live else "–", ""),
            ("Features", count, f"of {', '.join(obj.entity_columns)}", ""),
        ],
    )


def moment(live: Any) -> str:
    """Return the moment a snapshot's values are of."""
    return f"{live.as_of or live.created_at:%Y-%m-%d %H:%M} UTC"


def about_facts(obj: FeatureView) -> Facts:
    """Return what the view is."""
    pairs = [
        ("Dataset", link(obj.dataset)),
        ("Entity", ", ".join(obj.entity_columns) or "–"),
        ("Live online snapshot", link(obj.live_snapshot)),
        ("Online values expire after", span(obj.ttl_seconds)),
        ("Owner", obj.owner or "–"),
        ("Definition", mono(obj.definition_digest, 16)),
    ]
    return Facts(title="View", pairs=pairs)


def next_step(obj: FeatureView) -> Code:
    """Return the command that comes next."""
    if obj.live_snapshot is None:
        return Code(title="Next", note="It has no online values yet.", text=f"manage.py materialize {obj.name}")
    asked = f"manage.py features get {obj.name} KEY\nmanage.py snapshot NAME --dataset DATASET --view {obj.name}"
    return Code(title="Next", note="Read an entity's values, or freeze a training set with them.", text=asked)


def span(seconds: int | None) -> str:
    """Return a length of time as people write it."""
    if not seconds:
        return "never"
    for unit, name in UNITS:
        if seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{number(seconds)} s"


def features_table(obj: FeatureView) -> Table:
    """Return the window aggregations."""
    keys = ("name", "function", "column", "window")
    rows = [
        (*(feature.get(key) or "–" for key in keys), words(feature["condition"]) if feature.get("condition") else "–")
        for feature in obj.aggregations
    ]
    headers = ("Feature", "Function", "Column", "Window", "Where")
    return Table(title="Features", headers=headers, rows=rows, wide=True)


def derived_table(obj: FeatureView) -> Table:
    """Return the features made of features."""
    rows = [(one.get("name", "–"), mono(one.get("expression", ""))) for one in obj.derived]
    return Table(title="Derived features", headers=("Feature", "Expression"), rows=rows, empty="None.")


def tests_table(obj: FeatureView) -> Table:
    """Return what the values must meet."""
    rows = [(test.get("name") or f"test {at}", asks(test)) for at, test in enumerate(obj.tests, 1)]
    empty = "None: any values are taken."
    return Table(title="Tests of its values", headers=("Test", "Asks"), rows=rows, empty=empty)


def asks(test: Mapping[str, Any]) -> str:
    """Return what a test asks for."""
    said = [
        name.replace("_", " ") if value is True else f"{name.replace('_', ' ')} {value}"
        for name, value in test.items()
        if name not in ("name", "feature") and value is not None and value is not False
    ]
    words_said = ", ".join(said) or "–"
    return f"{test['feature']}: {words_said}" if test.get("feature") else words_said


def sample_table(obj: FeatureView) -> Table:
    """Return the online values of a few entities, as a caller would get them now."""
    title, names = "Sample of online values", obj.feature_names[:SHOWN]
    headers = ("Entity", "Status", "Age", *names)
    note, rows = "", []
    try:
        keys = served_keys(obj, SAMPLE)
        rows = [sample_row(row, names) for row in read_online(f"{obj.name}@{obj.version}", keys)] if keys else []
    except DomainError as error:
        note = error.message
    command = "features get" if obj.live_snapshot_id else "materialize"
    empty = f"None to show here. Next: manage.py {command} {obj.name}{' KEY' if obj.live_snapshot_id else ''}"
    return Table(title=title, note=note, headers=headers, rows=rows, empty=empty, wide=True)


def sample_row(row: OnlineRow, names: Sequence[str]) -> Sequence[Any]:
    """Return one entity's values."""
    values = [number(row.values.get(name)) if row.status == "present" else "–" for name in names]
    return (mono(bounded(row.key, 60)), badge(row.status, STATUS_KINDS.get(row.status, "")), ago(row.event_at), *values)


def versions_table(obj: FeatureView) -> Table:
    """Return the versions of the view and what each changed."""
    versions = list(FeatureView.objects.filter(name=obj.name).order_by("-version")[: VERSIONS + 1])
    older = [*versions[1:], None]
    rows = [
        (link(version), lines(differences(before, version)), link(version.live_snapshot), ago(version.created_at))
        for version, before in zip(versions, older, strict=True)
    ]
    headers = ("Version", "Changed", "Live online snapshot", "Made")
    return Table(title="Versions", headers=headers, rows=rows[:VERSIONS], wide=True)


def lines(said: Sequence[str]) -> Any:
    """Return texts below each other."""
    return format_html_join("", "<div>{}</div>", ((text,) for text in said)) or "–"


def differences(before: FeatureView | None, after: FeatureView) -> list[str]:
    """Return in words what a version changed."""
    if before is None:
        return ["first version" if after.version == 1 else "–"]
    said = [
        f"{name.removesuffix('_id').replace('_', ' ')}: {words(getattr(before, name))} → {words(getattr(after, name))}"
        for name in PLAIN
        if getattr(before, name) != getattr(after, name)
    ]
    for part in PARTS:
        said += _parts(_named(getattr(before, part)), _named(getattr(after, part)))
    return [bounded(text, 200) for text in said[:20]] or ["nothing that changes a value"]


def _named(items: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {str(item.get("name") or words(item)): item for item in items}


def _parts(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    added = [f"added {name}" for name in after if name not in before]
    removed = [f"removed {name}" for name in before if name not in after]
    changed = [
        f"{name}: {words(_other(before[name], after[name]))} → {words(_other(after[name], before[name]))}"
        for name in after
        if name in before and before[name] != after[name]
    ]
    return [*added, *removed, *changed]


def _other(item: Mapping[str, Any], than: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if value != than.get(key)}
