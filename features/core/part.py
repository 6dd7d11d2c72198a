"""A view's history as one value that can be sent to where the rows are."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from features.core.grid import Span
from features.core.history import view_values
from features.core.point_in_time import AT, EVENT, KNOWN, Frames
from features.core.schema import ARROW_TYPES, Dtype
from features.core.windows import ViewDefinition, value_dtypes

MICROSECONDS = pa.int64()
ROW = "__row"


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What is asked of the rows of a dataset, of all or of some entities.

    Parameters
    ----------
    view : ViewDefinition
        The features.
    dtypes : mapping of name to dtype
        The dataset's columns.
    timestamp, known_at : str
        Names of the columns that hold the times.
    spans : mapping of name to Span
        Of the columns that are summed, in the whole dataset.
    rows : int
        Rows of the whole dataset.
    """

    view: ViewDefinition
    dtypes: Mapping[str, Dtype]
    timestamp: str
    known_at: str
    spans: Mapping[str, Span]
    rows: int

    @property
    def columns(self) -> list[str]:
        """Return the columns that are read."""
        used = (feature.column for feature in self.view.features if feature.column)
        return list(dict.fromkeys([*self.view.entity, *used, self.timestamp, self.known_at]))

    @property
    def schema(self) -> pa.Schema:
        """Return the columns of `values`."""
        made = value_dtypes(self.view, self.dtypes)
        return pa.schema([(ROW, pa.int64()), *((name, ARROW_TYPES[dtype]) for name, dtype in made.items())])

    def events(self, rows: pa.Table) -> pa.Table:
        """Return rows as they are aggregated.

        Parameters
        ----------
        rows : pyarrow.Table
            The columns, in any types an engine makes of them.

        Returns
        -------
        pyarrow.Table
            Entity columns, the aggregated columns, and both times in microseconds. Rows without a key, without an
            event time or never known are left out.
        """
        typed = {name: rows[name].cast(ARROW_TYPES[self.dtypes[name]]) for name in self.columns}
        times = {EVENT: typed[self.timestamp], KNOWN: typed[self.known_at]}
        used = dict.fromkeys([*self.view.entity, *(f.column for f in self.view.features if f.column)])
        columns = {name: typed[name] for name in used}
        table = pa.table({**columns, **{name: column.cast(MICROSECONDS) for name, column in times.items()}})
        for name in (*self.view.entity, EVENT, KNOWN):
            if table[name].null_count:
                table = table.filter(pc.is_valid(table[name]))
        return table

    def values(self, labels: pa.Table, rows: pa.Table, frames: Frames) -> pa.Table:
        """Return the features of labels, from all rows of the labels' entities.

        Parameters
        ----------
        labels : pyarrow.Table
            Entity columns, `__at`, and `__row`, the label's number.
        rows : pyarrow.Table
            The columns.
        frames : callable
            Hands a table to the engine and returns a lazy frame of it.

        Returns
        -------
        pyarrow.Table
            `__row` and the features, in the order of the labels.
        """
        keys = {name: labels[name].cast(ARROW_TYPES[self.dtypes[name]]) for name in self.view.entity}
        asked = pa.table({**keys, AT: labels[AT].cast(MICROSECONDS)})
        found = view_values(self.view, asked, self.events(rows), self.dtypes, frames, spans=self.spans, rows=self.rows)
        return found.add_column(0, ROW, labels[ROW].cast(pa.int64())).cast(self.schema)
