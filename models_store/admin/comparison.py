"""Two versions of a model side by side."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from features.ground.console import SHORT, ago, link, mono, number
from features.ground.panels import Panel, Table
from features.ground.unfold import badge
from models_store.admin.pages import flattened
from models_store.admin.panels import HIGHER_IS_BETTER, metric, plain, spaced, stage_badge
from models_store.core.gates.signature_compatible import differences
from models_store.models import ModelVersion

Pair = tuple[ModelVersion, ModelVersion]
MOST_ROWS = 40
NOTHING = "–"


@dataclass(frozen=True, kw_only=True)
class Choice(Panel):
    """The form that chooses the two versions."""

    template: ClassVar[str] = "console/compare.html"
    pair: Pair
    versions: Sequence[ModelVersion]

    @property
    def inputs(self) -> list[tuple[str, str, int]]:
        """Return name, label and chosen version of each input."""
        return [("first", "This version", self.pair[0].pk), ("second", "beside", self.pair[1].pk)]


def comparison_panels(pair: Pair) -> list[Panel]:
    """Return everything in which two versions may differ, what decides first."""
    return [
        Choice(
            title="Compare",
            wide=True,
            pair=pair,
            versions=list(pair[0].model.versions.select_related("model")[:MOST_ROWS]),
        ),
        at_a_glance(pair),
        metrics(pair),
        *slices(pair),
        *importance(pair),
        schema(pair),
        *parameters(pair),
        provenance(pair),
    ]


def table(
    title: str,
    pair: Pair,
    rows: Iterable[Sequence[Any]],
    *,
    note: str = "",
    more: Sequence[str] = (),
    foldable: bool = False,
) -> Table:
    """Return a table with a column for each of two versions."""
    headers = ("", *map(str, pair), *more)
    return Table(title=title, note=note, wide=True, headers=headers, rows=list(rows), foldable=foldable, empty="None.")


def of_each(pair: Pair, what: Callable[[ModelVersion], Any]) -> tuple[Any, Any]:
    """Return the same thing of both versions."""
    return what(pair[0]), what(pair[1])


def at_a_glance(pair: Pair) -> Table:
    """Return what a person asks about two versions first."""
    rows: list[tuple[str, Callable[[ModelVersion], Any]]] = [
        ("Page", lambda v: link(v)),
        ("Stage", lambda v: stage_badge(v.stage)),
        ("Estimator", lambda v: spaced(v.estimator)),
        ("Served by", lambda v: v.engine),
        ("Size", lambda v: f"{v.size_bytes / 1024:,.0f} kB"),
        ("Made", lambda v: ago(v.created_at)),
        ("By", lambda v: v.actor),
    ]
    return table("Side by side", pair, [(name, *of_each(pair, what)) for name, what in rows])


def metrics(pair: Pair) -> Table:
    """Return every metric with its interval, and which version has the better one."""
    names = dict.fromkeys(name for version in pair for name in version.metrics.get("test") or {})
    same = pair[0].snapshot_id == pair[1].snapshot_id and pair[0].snapshot_id is not None
    note = (
        "On held-out rows of one snapshot."
        if same
        else "On held-out rows of different snapshots: a difference may be of the rows."
    )
    rows = [metric_row(pair, name) for name in names]
    return table("Metrics", pair, rows, note=note, more=("Difference", "Better"))


def metric_row(pair: Pair, name: str) -> Sequence[Any]:
    """Return one metric of both versions."""
    first, second = of_each(pair, lambda v: metric(v, name))
    label = f"{spaced(name)} {'↑' if name in HIGHER_IS_BETTER else '↓'}"
    shown = of_each(pair, lambda v: with_interval(metric(v, name), test_interval(v, name)))
    if not isinstance(first, int | float) or not isinstance(second, int | float):
        return (label, *shown, NOTHING, NOTHING)
    better = pair[(second > first) == (name in HIGHER_IS_BETTER)] if first != second else None
    if better is None:
        said: Any = "the same"
    elif overlap(test_interval(pair[0], name), test_interval(pair[1], name)):
        said = f"{better}, intervals overlap"
    else:
        said = badge(str(better), "success")
    return (label, *shown, f"{second - first:+,.4g}", said)


def test_interval(version: ModelVersion, name: str) -> Sequence[float] | None:
    """Return the interval of a metric on the test rows, where one was measured."""
    measured = (version.metrics.get("intervals") or {}).get("test") or {}
    return measured.get(name)


def overlap(first: Sequence[float] | None, second: Sequence[float] | None) -> bool:
    """Tell whether two intervals share a value; one that wasn't measured shares none."""
    return bool(first and second and first[0] <= second[1] and second[0] <= first[1])


def with_interval(value: Any, interval: Sequence[float] | None) -> str:
    """Return a value with the interval it lies in."""
    return f"{number(value)} ({number(interval[0])} to {number(interval[1])})" if interval else number(value)


def slices(pair: Pair) -> list[Table]:
    """Return the metric that decides for each value of each column that both or one measured."""
    primary = pair[0].model.primary_metric
    columns = dict.fromkeys(column for version in pair for column in version.metrics.get("slices") or {})
    return [slice_table(pair, column, primary) for column in columns]


def slice_table(pair: Pair, column: str, primary: str) -> Table:
    """Return the metric that decides for each value of a column."""
    measured = of_each(
        pair, lambda v: {str(p.get("value")): p for p in (v.metrics.get("slices") or {}).get(column, [])}
    )
    values = dict.fromkeys(value for parts in measured for value in parts)
    rows = [
        (value, *(cell for parts in measured for cell in slice_cells(parts.get(value), primary)))
        for value in list(values)[:MOST_ROWS]
    ]
    headers = ("Value", *(word for version in pair for word in (f"Rows, {version}", str(version))))
    return Table(title=f"{spaced(primary)} by {column}", headers=headers, rows=rows, wide=True)


def slice_cells(part: Mapping[str, Any] | None, name: str) -> tuple[str, str]:
    """Return rows and one metric of a slice."""
    if part is None:
        return NOTHING, NOTHING
    interval = (part.get("intervals") or {}).get(name)
    return number(part.get("rows")), with_interval((part.get("metrics") or {}).get(name), interval)


def importance(pair: Pair) -> list[Table]:
    """Return how much each column matters to each, where that was measured."""
    found = of_each(pair, lambda v: (v.metrics.get("importance") or {}).get("features") or {})
    if not any(found):
        return []
    names = sorted({*found[0], *found[1]}, key=lambda name: -max(mean(part, name) or 0.0 for part in found))
    rows = [(mono(name), *(number(mean(part, name)) for part in found)) for name in names[:MOST_ROWS]]
    note = "How much worse the answers get when a column's values are shuffled; columns differ as versions do."
    return [table("Importance", pair, rows, note=note)]


def mean(part: Mapping[str, Any], name: str) -> float | None:
    """Return the importance of one column."""
    found = part.get(name)
    value = found.get("mean") if isinstance(found, Mapping) else found
    return float(value) if isinstance(value, int | float) else None


def schema(pair: Pair) -> Table:
    """Return the inputs of both, those that differ first, and what a caller of the first would notice."""
    found = differences(pair[0].input_schema, pair[1].input_schema)
    note = "; ".join(f"{kind}: {', '.join(names[:20])}" for kind, names in found.items())
    columns = of_each(pair, lambda v: {str(c["name"]): c for c in v.input_schema})
    names = dict.fromkeys(name for part in columns for name in part)
    told = {name: tuple(described(part.get(name)) for part in columns) for name in names}
    ordered = sorted(told, key=lambda name: told[name][0] == told[name][1])
    rows = [(mono(name), *told[name], mark(told[name])) for name in ordered[: 2 * MOST_ROWS]]
    return table("Inputs", pair, rows, note=note or "The same names and types in the same order.", more=("",))


def described(column: Mapping[str, Any] | None) -> str:
    """Return an input's type and limits in one line."""
    if column is None:
        return NOTHING
    limits = {key: column[key] for key in ("min", "max", "allowed") if column.get(key) is not None}
    said = [str(column.get("dtype")), *(["may be missing"] if column.get("nullable") else [])]
    return ", ".join([*said, *(f"{key} {plain(value)}" for key, value in limits.items())])


def parameters(pair: Pair) -> list[Table]:
    """Return the parameters in which they differ, and those that are the same."""
    given = of_each(pair, lambda v: dict(flattened(v.params)))
    names = dict.fromkeys(name for part in given for name in part)
    told = {name: tuple(plain(part[name]) if name in part else NOTHING for part in given) for name in names}
    rows = {name: (mono(name), *(cut(value) for value in both)) for name, both in told.items()}
    differ = [name for name, both in told.items() if both[0] != both[1]]
    same = [rows[name] for name in told if name not in differ]
    return [
        table("Parameters in which they differ", pair, [rows[name] for name in differ]),
        table("Parameters that are the same", pair, same, foldable=True),
    ]


def cut(text: str) -> Any:
    """Return a value, of a long one its beginning."""
    return mono(text, SHORT) if len(text) > SHORT else text


def provenance(pair: Pair) -> Table:
    """Return what each was made from and by."""
    rows: list[tuple[str, Callable[[ModelVersion], Any]]] = [
        ("Dataset version", lambda v: link(v.snapshot.dataset_version) if v.snapshot else NOTHING),
        ("Snapshot", lambda v: link(v.snapshot)),
        ("Rows", lambda v: number(v.snapshot.rows) if v.snapshot else NOTHING),
        ("Fingerprint", lambda v: mono(v.snapshot.fingerprint, 16) if v.snapshot else NOTHING),
        ("Code", lambda v: mono(v.code_version, 16) if v.code_version else NOTHING),
        ("Environment", lambda v: mono(v.environment_digest, 16) if v.environment_digest else NOTHING),
        ("Artefact", lambda v: mono(v.manifest_digest, 16)),
        ("Signing key", lambda v: mono(v.key_id, 16)),
    ]
    told = [(name, of_each(pair, what)) for name, what in rows]
    return table("Made from", pair, [(name, *both, mark(both)) for name, both in told], more=("",))


def mark(both: Sequence[Any]) -> Any:
    """Return a label where two values differ."""
    return badge("differs", "warning") if str(both[0]) != str(both[1]) else ""
