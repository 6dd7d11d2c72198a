"""Made-up rows as a source, in chunks."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa

from features.core.coerce import Target
from features.core.contract import Contract
from features.core.sources import RawChunk
from features.core.synthetic import Recipe, Synthetic
from features.core.synthetic_times import event_times
from features.errors import SchemaError
from features.ground.canonical import digest

CHUNK_ROWS = 65_536
MAX_ROWS = 100_000_000


class Generated:
    """Rows that follow a contract; the same seed gives the same rows.

    Parameters
    ----------
    contract : Contract
        What they follow.
    rows, seed : int
        How many, and which.
    after : datetime or None
        The last event there is.
    taken : mapping of str to pyarrow.Array
        By unique column, the values there are.
    now : datetime
        The present, for a dataset that must be fresh.
    """

    typed = True
    ragged = False
    timezone = ""

    def __init__(
        self,
        contract: Contract,
        rows: int,
        seed: int,
        *,
        after: datetime | None,
        taken: Mapping[str, pa.Array],
        now: datetime,
    ) -> None:
        if not 1 <= rows <= MAX_ROWS:
            raise SchemaError(f"synthetic rows: 1 to {MAX_ROWS}; got {rows}")
        columns = contract.columns
        first, step = event_times(columns, contract.rules, rows, after, now)
        self.recipe = Recipe(
            columns=columns,
            rows=rows,
            seed=seed,
            first_us=first,
            step_us=step,
            whole=frozenset(contract.rules.get("max_missing", {}).get("columns", {})),
            taken=taken,
        )
        self.label = f"synthetic {rows} rows, seed {seed}"
        self.fingerprint = digest({"synthetic": rows, "seed": seed, "columns": [c.as_dict() for c in columns]})

    def column_names(self) -> list[str]:
        """Return the names of the schema's columns."""
        return [column.name for column in self.recipe.columns]

    def chunks(self, columns: Sequence[str], target: Target | None = None) -> Iterator[RawChunk]:
        """Yield the rows."""
        made, rows = Synthetic(self.recipe), self.recipe.rows
        for first in range(0, rows, CHUNK_ROWS):
            count = min(CHUNK_ROWS, rows - first)
            numbers = np.arange(first + 1, first + 1 + count)
            yield RawChunk(table=made.rows(first, count), rows=numbers, share=(first + count) / rows)
