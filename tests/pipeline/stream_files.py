"""A stream of JSON lines between two files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.actions.consume import ConsumeRequest, consume
from pipeline.adapters.stream_jsonl import JsonlSource
from pipeline.core.streaming import Consumed
from tests.pipeline.served_model import flights


def lines(count: int, *, seed: int = 0) -> list[str]:
    """Return good messages in all their forms."""
    rows = flights(count, seed=seed).to_dict("records")
    forms: list[Callable[[int, dict[str, Any]], Any]] = [
        lambda _, row: {"features": list(row.values())},
        lambda at, row: {"key": f"k{at}", "record": row},
        lambda _, row: row,
        lambda at, row: {"features": list(row.values()), "key": at},
    ]
    return [json.dumps(forms[at % 4](at, row)) for at, row in enumerate(rows)]


def written(folder: Path, items: list[str], *, end: str = "\n") -> Path:
    """Write lines to the input."""
    path = folder / "in.jsonl"
    path.write_text("\n".join(items) + end)
    return path


def run(folder: Path, **options: Any) -> Consumed:
    """Consume the input to its end."""
    asked = {"model": "late", "actor": "cli:test", "until_idle_s": 0.0, "poll_rows": 10} | options
    with JsonlSource(folder / "in.jsonl", folder / "out.jsonl") as source:
        return consume(source, ConsumeRequest(**asked))


def answers(folder: Path, name: str = "out.jsonl") -> list[dict[str, Any]]:
    """Return the lines of an output."""
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def offsets(found: list[dict[str, Any]]) -> list[int]:
    """Return which lines of the input were answered."""
    return [item["source"]["offset"] for item in found]
