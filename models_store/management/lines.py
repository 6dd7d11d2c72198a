"""Short texts for a person at a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from features.ground.errors import bounded
from models_store.core.gates import GateOutcome


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


def gate_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return gates as a table, a word for the verdict."""
    shown = [{**row, "passed": "passed" if row["passed"] else "FAILED"} for row in rows]
    return table(shown, ("passed", "gate", "observed", "threshold"))


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{key} {_cell(part)}" for key, part in value.items())
    if isinstance(value, float):
        value = f"{value:.4g}"
    return bounded("-" if value is None else str(value), 90)
