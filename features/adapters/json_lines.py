"""JSON Lines: one object a line, in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import orjson

from features.adapters.inputs import PlainFile
from features.core.sources import Malformed, RawChunk
from features.errors import InputTooLargeError
from features.ground.late import pa

CHUNK_LINES = 50_000
MAX_LINE_BYTES = 4 << 20
MARK = b"\xef\xbb\xbf"
NOT_JSON, NOT_OBJECT, UNKNOWN_FIELD = "not_json", "not_an_object", "unknown_field"


def json_names(file: PlainFile) -> list[str]:
    """Return the names used by the objects of the file's first lines, in the order met."""
    names: dict[str, None] = {}
    for line, _ in islice(_lines(file), CHUNK_LINES):
        record = _record(line)
        names |= dict.fromkeys(record) if isinstance(record, dict) else {}
    return list(names)


def json_chunks(file: PlainFile, names: Sequence[str], missing: Sequence[str], *, before: int) -> Iterator[RawChunk]:
    """Yield the file's objects; lines that hold something else are malformed."""
    lines = _lines(file)
    size = file.path.stat().st_size
    while part := list(islice(lines, CHUNK_LINES)):
        yield _chunk([line for line, _ in part], names, set(missing), before, share=part[-1][1] / size)
        before += len(part)


def _lines(file: PlainFile) -> Iterator[tuple[bytes, int]]:
    """Yield each line, and how many bytes end with it."""
    done = 0
    with file.path.open("rb") as opened:
        if opened.read(len(MARK)) != MARK:
            opened.seek(0)
        while line := opened.readline(MAX_LINE_BYTES + 1):
            done += len(line)
            if len(line) > MAX_LINE_BYTES:
                text = f"{file.label}: the line at byte {done - len(line)} is longer than {MAX_LINE_BYTES >> 20} MiB"
                raise InputTooLargeError(text, file=file.label)
            yield line, done


def _record(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return line


def _chunk(lines: list[bytes], names: Sequence[str], missing: set[str], before: int, *, share: float) -> RawChunk:
    known, records, rows, malformed = set(names), [], [], []
    for number, line in enumerate(lines, start=before + 1):
        if not line.strip():
            continue
        record = _record(line)
        rule = _fault(record, known)
        if rule:
            text = line.decode().rstrip("\n")
            malformed.append(Malformed(row=number, rule=rule, text=text))
        else:
            records.append(record)
            rows.append(number)
    columns = [json_column([record.get(name) for record in records], missing) for name in names]
    table = pa.Table.from_arrays(columns, names=list(names))
    return RawChunk(table=table, rows=np.array(rows, np.int64), malformed=malformed, share=share)


def _fault(record: Any, known: set[str]) -> str:
    if isinstance(record, bytes):
        return NOT_JSON
    if not isinstance(record, dict):
        return NOT_OBJECT
    return "" if record.keys() <= known else UNKNOWN_FIELD


def json_column(values: list[Any], missing: set[str]) -> pa.Array:
    """Return JSON values as one column: of their own type where they share one, else of text."""
    if missing:
        values = [None if isinstance(value, str) and value in missing else value for value in values]
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {str} or kinds == {bool} or kinds <= {int, float}:
        try:
            return pa.array(values, pa.string() if kinds == {str} else None)
        except (pa.ArrowInvalid, OverflowError):
            # Whole numbers beyond 64 bits: as text, so that each is judged by itself.
            pass
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
