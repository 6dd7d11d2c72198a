"""What every source of rows offers, whatever it reads from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.core.coerce import fits
from features.core.schema import Column
from features.errors import ColumnsError
from features.ground.errors import bounded


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
    """

    table: pa.Table
    rows: npt.NDArray[np.int64]
    malformed: list[Malformed] = field(default_factory=list)


class RowSource(Protocol):
    """Rows to ingest: a file, several, or generated ones.

    `typed` rows have columns of one type throughout; `ragged` rows have each their own columns, as objects do.
    """

    label: str
    typed: bool
    ragged: bool
    fingerprint: str

    def column_names(self) -> Sequence[str]:
        """Return the names of the columns the rows have."""
        ...

    def chunks(self, columns: Sequence[str]) -> Iterator[RawChunk]:
        """Yield all rows, in order; a ragged row may have no other than these columns."""
        ...


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


def check_types(label: str, found: pa.Schema, columns: Sequence[Column]) -> None:
    """Refuse typed columns that can't stand for the contract's.

    Parameters
    ----------
    label : str
        Name of the source, for the message.
    found : pyarrow.Schema
        Columns it has, with their types.
    columns : sequence of Column
        Columns of the contract.

    Raises
    ------
    ColumnsError
        Naming each column of another type, what is asked for and what came.
    """
    wrong = [
        f"{column.name} must be {column.dtype} and is {found.field(column.name).type}"
        for column in columns
        if not fits(found.field(column.name).type, column.dtype)
    ]
    if wrong:
        raise ColumnsError(f"{label} has columns of another type: {bounded('; '.join(wrong), 400)}", wrong=wrong[:20])
