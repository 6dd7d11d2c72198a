"""Short texts for a person at a terminal."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from features.ground.errors import bounded
from models_store.actions.promote import Promotion
from models_store.core.gates import GateOutcome
from models_store.core.provenance import provenance_lines
from models_store.errors import BadSpecError

MEASURED = ("test", "baseline", "linear_baseline")


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows under their column names, aligned; nothing for no rows."""
    if not rows:
        return ""
    cells = [list(columns), *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def gate_rows(outcomes: Sequence[GateOutcome]) -> list[dict[str, Any]]:
    """Return gates in the contract's form."""
    return [
        {"gate": found.gate, "passed": found.passed, "observed": found.observed, "threshold": found.threshold}
        for found in outcomes
    ]


def promotion_answer(done: Promotion) -> dict[str, Any]:
    """Return what came of a request in the contract's form."""
    answer = {"request": done.request, "state": done.state, "generation": done.generation}
    return {**answer, "gates": gate_rows(done.gates), **({"warning": done.warning} if done.warning else {})}


def promotion_text(result: Mapping[str, Any]) -> str:
    """Return what came of a request, the gates below."""
    head = f"request {result['request']}: {result['state']} (generation {result['generation']})"
    return "\n".join(filter(None, (head, result.get("warning"), gate_table(result["gates"]))))


def parse_time(text: str) -> datetime:
    """Return a time, UTC unless it says otherwise."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadSpecError(f"the time must be ISO 8601, got {bounded(text)!r}") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def gate_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return gates as a table, a word for the verdict."""
    shown = [{**row, "passed": "passed" if row["passed"] else "FAILED"} for row in rows]
    return table(shown, ("passed", "gate", "observed", "threshold"))


def version_text(detail: Mapping[str, Any]) -> str:
    """Return everything of one version, a part below the other."""
    lineage, signature = detail["lineage"], detail["signature"]
    engine = f"{detail['engine']} ({detail['engine_reason']})" if detail["engine_reason"] else detail["engine"]
    facts = {
        "stage": detail["stage"],
        "made": f"{detail['created_at']:%Y-%m-%dT%H:%M:%SZ} by {lineage['actor']}",
        "estimator": detail["estimator"],
        "engine": engine,
        "digest": detail["digest"],
        "signature": f"by key {signature['key_id']}, {signature['size_bytes']:,} bytes",
        **{name: lineage[name] for name in ("snapshot", "run", "code_version", "environment_digest")},
        **dict(provenance_lines(lineage["provenance"])),
        "params": lineage["params"] or None,
    }
    parts = {
        "": "\n".join(f"{name:<20}{_cell(value)}" for name, value in facts.items()),
        "metrics": _metrics_table(detail["metrics"]),
        "gates": gate_table(detail["gates"]) or "not evaluated yet: `gates` does",
        "inputs": table([_input_row(column) for column in detail["schema"]["inputs"]], ("column", "holds", "limits")),
        "outputs": _cell(detail["schema"]["outputs"]),
    }
    body = [f"{name}:\n{text}" if name else text for name, text in parts.items() if text]
    return "\n\n".join([f"{detail['name']}@{detail['version']}", *body])


def _metrics_table(metrics: Mapping[str, Any]) -> str:
    """Return the metrics of each part of the evaluation in one table; what is no number is left to --json."""
    parts = {part: metrics[part] for part in MEASURED if isinstance(metrics.get(part), Mapping)}
    names = dict.fromkeys(name for values in parts.values() for name in values)
    rows = [{"metric": name, **{part: values.get(name) for part, values in parts.items()}} for name in names]
    return table(rows, ("metric", *parts))


def _input_row(column: Mapping[str, Any]) -> dict[str, str]:
    limits = [f"{name} {_cell(column[name])}" for name in ("min", "max") if column.get(name) is not None]
    limits += [f"one of {', '.join(map(str, column['allowed']))}"] if column.get("allowed") else []
    missing = " or missing" if column.get("nullable") else ""
    return {"column": column["name"], "holds": f"{column['dtype']}{missing}", "limits": ", ".join(limits)}


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{key} {_cell(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        value = ", ".join(map(_cell, value))
    if isinstance(value, float):
        value = f"{value:.4g}"
    return bounded("-" if value is None else str(value), 90)
