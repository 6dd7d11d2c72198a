"""The demo's stream: a file of JSON lines, a few of them broken."""

import dataclasses
from pathlib import Path

import orjson
import pyarrow as pa

from mlsite.demo.traffic import columns_of
from models_store.models import ModelVersion
from pipeline.actions.consume import ConsumeRequest, consume
from pipeline.adapters.stream_jsonl import JsonlSource

LINES = 500
BROKEN = (b"not json at all", b'{"features": [1, 2]}', b'{"features": "many"}')


def run(live: pa.Table, version: ModelVersion, folder: Path, actor: str) -> dict[str, int]:
    """Write the stream's input, consume it, and return the counts."""
    rows = live.slice(0, LINES).select(columns_of(version)).to_pylist()
    lines = [orjson.dumps({"features": list(row.values())}) for row in rows]
    for place, line in enumerate(BROKEN):
        lines.insert(100 * (place + 1), line)
    source = folder / "stream.jsonl"
    source.write_bytes(b"\n".join(lines) + b"\n")
    request = ConsumeRequest(model=version.model.name, actor=actor, until_idle_s=0)
    with JsonlSource(source, folder / "stream-scored.jsonl") as lines_source:
        return dataclasses.asdict(consume(lines_source, request))
