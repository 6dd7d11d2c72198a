"""Checked rows wait here, on disk, until all of them have been seen."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.adapters.delta import quarantine_schema
from features.core.checks import CheckedChunk, Fault, whole_rows
from features.core.dataset_rules import BatchFacts
from features.core.schema import Column, arrow_schema
from features.core.sources import Malformed, RawChunk
from features.ground.paths import var_path


class Staging:
    """Two files of checked rows, valid and refused, and what was counted on the way."""

    def __init__(self, folder: Path, columns: Sequence[Column], fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.valid_path, self.rejected_path = folder / "valid.arrow", folder / "rejected.arrow"
        self.schema = arrow_schema(columns)
        self.time_column = next((column.name for column in columns if column.role == "timestamp"), None)
        self.valid = pa.ipc.new_file(self.valid_path, self.schema)
        self.rejected = pa.ipc.new_file(self.rejected_path, quarantine_schema())
        self.rows_valid = self.rows_rejected = 0
        self.reasons: Counter[str] = Counter()
        self.by_column: Counter[tuple[str, str]] = Counter()
        self.first_event_at: datetime | None = None
        self.last_event_at: datetime | None = None
        self.in_order = True
        self.missing: Counter[str] = Counter()
        self.unique = [column.name for column in columns if column.unique]
        self.keys_path = folder / "keys.arrow"
        if self.unique:
            # Numbered from 0: a column may be named like those beside it.
            keys = [pa.field(str(place), self.schema.field(name).type) for place, name in enumerate(self.unique)]
            self.keys_schema = pa.schema([("row", pa.int64()), ("valid", pa.bool_()), *keys])
            self.keys = pa.ipc.new_file(self.keys_path, self.keys_schema)

    def add(self, raw: RawChunk, checked: CheckedChunk) -> None:
        """Take one chunk in."""
        good = checked.table if checked.valid.all() else checked.table.filter(pa.array(checked.valid))
        self.valid.write_table(good)
        self.rows_valid += good.num_rows
        self.missing.update({name: good[name].null_count for name in good.column_names if good[name].null_count})
        self._note_times(good)
        self._note_keys(raw, checked)
        faults: dict[int, list[Fault]] = {}
        for fault in checked.faults:
            faults.setdefault(fault.row, []).append(fault)
        self._reject(raw, faults)
        self._reject_malformed(raw.malformed)

    def close(self) -> None:
        """Finish both files, so that they can be read."""
        self.valid.close()
        self.rejected.close()
        if self.unique:
            self.keys.close()

    def forget_refused(self) -> list[int]:
        """Return the numbers of the refused rows, which then are not put in quarantine: they lie there already."""
        with staged_rows(self.rejected_path) as refused:
            numbers: list[int] = refused.read_all()["row"].to_pylist()
        self.rows_rejected = 0
        return numbers

    def facts(self, newest_before: datetime | None) -> BatchFacts:
        """Return what the rules of a dataset look at."""
        return BatchFacts(
            rows=self.rows_valid,
            missing=dict(self.missing),
            oldest=self.first_event_at,
            newest=self.last_event_at,
            in_order=self.in_order,
            newest_before=newest_before,
        )

    def _note_times(self, good: pa.Table) -> None:
        if self.time_column and good.num_rows:
            times = good[self.time_column].combine_chunks()
            span = pc.min_max(times).as_py()
            if self.in_order:
                steps = pc.less(times[1:], times[:-1])
                late = self.last_event_at is not None and times[0].as_py() < self.last_event_at
                self.in_order = not (late or pc.any(steps).as_py())
            self.first_event_at = min(filter(None, (self.first_event_at, span["min"])))
            self.last_event_at = max(filter(None, (self.last_event_at, span["max"])))

    def _note_keys(self, raw: RawChunk, checked: CheckedChunk) -> None:
        if self.unique:
            values = [checked.table[name] for name in self.unique]
            table = pa.Table.from_arrays(
                [pa.array(raw.rows), pa.array(checked.valid), *values], schema=self.keys_schema
            )
            self.keys.write_table(table)

    def _reject(self, raw: RawChunk, faults: dict[int, list[Fault]]) -> None:
        if not faults:
            return
        places = np.array(sorted(faults))
        texts = whole_rows(raw.as_they_came(), places)
        listed = [faults[int(place)] for place in places]
        reasons = [[{"column": f.column, "rule": f.rule, "value": f.value} for f in found] for found in listed]
        for found in listed:
            self.reasons.update({fault.rule for fault in found})
            self.by_column.update({(fault.column, fault.rule) for fault in found})
        self._write([int(row) for row in raw.rows[places]], texts, reasons)

    def _reject_malformed(self, malformed: Sequence[Malformed]) -> None:
        if malformed:
            self.reasons.update(bad.rule for bad in malformed)
            self.by_column.update(("", bad.rule) for bad in malformed)
            reasons = [[{"column": "", "rule": bad.rule, "value": None}] for bad in malformed]
            self._write([bad.row for bad in malformed], [bad.text for bad in malformed], reasons)

    def _write(self, rows: list[int], texts: list[str], reasons: list[list[dict[str, str | None]]]) -> None:
        columns = {"fingerprint": [self.fingerprint] * len(rows), "row": rows, "raw": texts, "reasons": reasons}
        self.rejected.write_table(pa.Table.from_pydict(columns, schema=quarantine_schema()))
        self.rows_rejected += len(rows)


@contextmanager
def staging(columns: Sequence[Column], fingerprint: str) -> Iterator[Staging]:
    """Give a place for checked rows, which is gone afterwards whatever happens."""
    with tempfile.TemporaryDirectory(prefix="ingest-", dir=var_path("staging", "x").parent) as folder:
        yield Staging(Path(folder), columns, fingerprint)


@contextmanager
def staged_rows(path: Path) -> Iterator[pa.RecordBatchReader]:
    """Read a staged file batch by batch."""
    # Not mapped: pages of a mapped file count as this process's memory for as long as nobody else wants it.
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as file:
        batches = (file.get_batch(place) for place in range(file.num_record_batches))
        yield pa.RecordBatchReader.from_batches(file.schema, batches)
