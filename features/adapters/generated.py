"""Made-up rows as a source, in chunks."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np

from features.core.coerce import Target
from features.core.schema import Column
from features.core.sources import RawChunk
from features.core.synthetic import synthetic_rows
from features.errors import SchemaError
from features.ground.canonical import digest

CHUNK_ROWS = 65_536
MAX_ROWS = 100_000_000


class Generated:
    """Rows that follow a schema; the same seed gives the same rows."""

    typed = True
    ragged = False
    timezone = ""

    def __init__(self, columns: Sequence[Column], rows: int, seed: int, after: datetime | None) -> None:
        if not 1 <= rows <= MAX_ROWS:
            raise SchemaError(f"synthetic rows: 1 to {MAX_ROWS}; got {rows}")
        self.columns, self.rows, self.seed, self.after = tuple(columns), rows, seed, after
        self.label = f"synthetic {rows} rows, seed {seed}"
        self.fingerprint = digest({"synthetic": rows, "seed": seed, "columns": [c.as_dict() for c in columns]})

    def column_names(self) -> list[str]:
        """Return the names of the schema's columns."""
        return [column.name for column in self.columns]

    def chunks(self, columns: Sequence[str], target: Target | None = None) -> Iterator[RawChunk]:
        """Yield the rows."""
        for first in range(0, self.rows, CHUNK_ROWS):
            count = min(CHUNK_ROWS, self.rows - first)
            table = synthetic_rows(self.columns, first, count, seed=self.seed, after=self.after)
            yield RawChunk(table=table, rows=np.arange(first + 1, first + 1 + count), share=(first + count) / self.rows)
