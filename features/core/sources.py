"""What every source of rows offers, whatever it reads from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from features.core.coerce import Target, fits
from features.core.schema import Column, Dtype
from features.core.times import is_naive
from features.errors import ColumnsError, NaiveTimesError
from features.ground.errors import bounded
from features.ground.late import pa


@dataclass(frozen=True, kw_only=True, slots=True)
class Malformed:
    """A row whose very form is wrong: its number from 1, the rule it breaks, its text."""

    row: int
    rule: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RawChunk:
    """Some rows as they came.

    Parameters
    ----------
    table : pyarrow.Table
        Text or typed columns; null means missing.
    rows : ndarray of int, shape (n_rows,)
        Number of each row in its source, from 1.
    malformed : list of Malformed
        Rows met in between that have no columns.
    share : float
        How much of the source has been read, from 0 to 1.
    text : callable, optional
        Reads the rows again as text, where `table` no longer shows them as they came: it then holds what the target
        asks for, and nothing that doesn't fit.
    fitting : mapping of str to str
        Dtypes that every value of a column is known to fit already.
    """

    table: pa.Table
    rows: npt.NDArray[np.int64]
    malformed: list[Malformed] = field(default_factory=list)
    share: float = 0.0
    text: Callable[[], pa.Table] | None = None
    fitting: Mapping[str, Dtype] = field(default_factory=dict)

    def as_they_came(self) -> pa.Table:
        """Return the rows before they were typed."""
        return self.text() if self.text else self.table


class RowSource(Protocol):
    """Rows to ingest: a file, several, or generated ones.

    `typed` rows have columns of one type throughout; `ragged` rows have each their own columns, as objects do.
    `timezone` is said to be that of times which name none.
    """

    label: str
    typed: bool
    ragged: bool
    fingerprint: str
    timezone: str

    def column_names(self) -> Sequence[str]:
        """Return the names of the columns the rows have."""
        ...

    def chunks(self, columns: Sequence[str], target: Target | None = None) -> Iterator[RawChunk]:
        """Yield all rows, in order; a ragged row may have no other than these columns.

        Where every value of a chunk fits the target it may come typed already.
        """
        ...


class Told:
    """A source that says, while its rows are read, how much of it has been.

    Parameters
    ----------
    rows : RowSource
        The source.
    told : callable
        Called with the share of it that has been read.
    """

    def __init__(self, rows: RowSource, told: Callable[[float], None]) -> None:
        self.rows, self.told = rows, told
        self.label, self.typed, self.ragged = rows.label, rows.typed, rows.ragged
        self.fingerprint, self.timezone = rows.fingerprint, rows.timezone

    def column_names(self) -> Sequence[str]:
        """Return the names of the columns the rows have."""
        return self.rows.column_names()

    def chunks(self, columns: Sequence[str], target: Target | None = None) -> Iterator[RawChunk]:
        """Yield all rows, in order.

        Parameters
        ----------
        columns : sequence of str
            Columns to read.
        target : Target, optional
            What they are to become.

        Yields
        ------
        RawChunk
            As the source has it.
        """
        for chunk in self.rows.chunks(columns, target):
            yield chunk
            self.told(chunk.share)


def check_columns(label: str, found: Sequence[str], columns: Sequence[Column], *, ragged: bool = False) -> None:
    """Refuse a source whose columns are not those of the contract; their order may differ.

    Parameters
    ----------
    label : str
        Name of the source, for the message.
    found : sequence of str
        Columns it has.
    columns : sequence of Column
        Columns of the contract.
    ragged : bool
        Whether each row brings its own columns, so that one too many is the row's fault.

    Raises
    ------
    ColumnsError
        Naming the columns that are missing and those nobody asked for.
    """
    wanted = [column.name for column in columns]
    missing = [name for name in wanted if name not in set(found)]
    # Where each row has its own columns, a row that has one too many is refused by itself.
    unexpected = [] if ragged else [name for name in found if name not in set(wanted)]
    if missing or unexpected:
        text = "; ".join(
            f"{what}: {bounded(', '.join(names))}"
            for what, names in (("missing", missing), ("not in the schema", unexpected))
            if names
        )
        raise ColumnsError(
            f"{label} must have the columns {bounded(', '.join(wanted), 200)}; {text}",
            missing=missing[:20],
            unexpected=unexpected[:20],
        )


def check_types(label: str, found: pa.Schema, columns: Sequence[Column], zone: str = "") -> None:
    """Refuse typed columns that can't stand for the contract's.

    Parameters
    ----------
    label : str
        Name of the source, for the message.
    found : pyarrow.Schema
        Columns it has, with their types.
    columns : sequence of Column
        Columns of the contract.
    zone : str
        Zone of times that name none.

    Raises
    ------
    ColumnsError
        Naming each column of another type, what is asked for and what came.
    NaiveTimesError
        If a column has times without a zone, and none is named for them.
    """
    kinds = {column: found.field(column.name).type for column in columns}
    wrong = [
        f"{column.name} must be {column.dtype} and is {kind}"
        for column, kind in kinds.items()
        if not fits(kind, column.dtype)
    ]
    if wrong:
        raise ColumnsError(f"{label} has columns of another type: {bounded('; '.join(wrong), 400)}", wrong=wrong[:20])
    naive = [column.name for column, kind in kinds.items() if column.dtype == "timestamp" and is_naive(kind)]
    if naive and not zone:
        raise naive_times(label, naive)


def naive_times(label: str, columns: Sequence[str]) -> NaiveTimesError:
    """Return the error that says how to name the zone of times that name none.

    Parameters
    ----------
    label : str
        Name of the source.
    columns : sequence of str
        Columns that hold such times.

    Returns
    -------
    NaiveTimesError
    """
    text = f"{bounded(label, 80)} has times without a zone in {bounded(', '.join(columns), 200)}"
    hint = "say which zone's clock they are of: --timezone UTC, or --timezone America/New_York"
    return NaiveTimesError(f"{text}; {hint}", columns=list(columns[:20]))
