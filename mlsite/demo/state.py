"""What the demo made, kept so that a second run starts in seconds."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from features.ground.files import write_atomic
from features.ground.paths import var_path

MODEL = "flight-late"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoState:
    """The demo's results, as printed and as `--json` gives them."""

    model: str
    production: int
    canary: int
    rows: dict[str, int]
    metrics: dict[str, dict[str, float]]
    drift: dict[str, Any]
    traffic: dict[str, int]
    stream: dict[str, int]
    sample: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


def load_state() -> DemoState | None:
    """Return what an earlier demo made, or None where none was finished."""
    path = var_path("demo", "done.json")
    return DemoState(**json.loads(path.read_bytes())) if path.exists() else None


def save_state(state: DemoState) -> None:
    """Keep the results; only a finished demo has this file."""
    write_atomic(var_path("demo", "done.json"), json.dumps(asdict(state), indent=1).encode())
