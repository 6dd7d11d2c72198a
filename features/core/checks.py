"""Which rows of a chunk break the contract, with every reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from features.core.coerce import coerce, misfit_rules
from features.core.column import time_text
from features.core.column_rules import broken, frame_of, pandera_schema
from features.core.schema import Column, arrow_schema
from features.ground.errors import bounded
from features.ground.late import pa, pandera, pd

MISSING, REPEATED = "missing_value", "not_unique"
# In the place of a value that is about a person.
HIDDEN = "(hidden)"
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One reason why a row is refused.

    Parameters
    ----------
    row : int
        Position in the chunk, from 0.
    column : str
        Empty where the whole row is at fault.
    rule : str
        Stable code: missing_value, not_number, below_minimum, ….
    value : str or None
        What was there, at most 120 characters; of a column about persons, that it is hidden.
    """

    row: int
    column: str
    rule: str
    value: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedChunk:
    """A chunk in the schema's types, and its faults.

    Parameters
    ----------
    table : pyarrow.Table
        All rows, typed; values that don't fit are null.
    faults : list of Fault
        In the order of rows, then columns.
    valid : ndarray of bool, shape (n_rows,)
        True where a row has no fault.
    """

    table: pa.Table
    faults: list[Fault]
    valid: npt.NDArray[np.bool_]


class RowChecker:
    """Checks chunks against one contract.

    A chunk without faults is looked at a column at a time, which costs little. Where a column has one, pandera says
    which rules its faulty rows break.

    Parameters
    ----------
    columns : sequence of Column
        The contract.
    repeated : mapping of str to ndarray of int, optional
        By unique column, the rows of the source, in order, whose value was there before.
    zone : str
        Zone of times that name none; empty: they don't fit.
    """

    def __init__(
        self, columns: Sequence[Column], repeated: Mapping[str, IntArray] | None = None, zone: str = ""
    ) -> None:
        self.columns, self.zone = tuple(columns), zone
        self.schema = arrow_schema(columns)
        self.repeated = repeated or {}

    def check(self, raw: pa.Table, rows: IntArray | None = None, *, fitting: bool = False) -> CheckedChunk:
        """Type a chunk and find all faults of all its rows.

        Parameters
        ----------
        raw : pyarrow.Table
            The contract's columns, as text or typed.
        rows : ndarray of int, optional
            Number of each row in its source; needed where values are known to be repeated.
        fitting : bool
            Whether the columns are of the contract's types already, and hold nothing that doesn't fit them.

        Returns
        -------
        CheckedChunk
        """
        arrays, faults, suspects = [], [], []
        none = np.zeros(len(raw), bool)
        for column in self.columns:
            values = raw.column(column.name).combine_chunks()
            typed, bad = (values, none) if fitting else coerce(values, column.dtype, self.zone)
            arrays.append(typed)
            faults += [] if bad is none else _misfits(values, np.flatnonzero(bad), column, self.zone)
            breaks = broken(typed, column)
            # A value that doesn't fit was made null above: its one reason is that it doesn't fit.
            if breaks is not None and (breaks := breaks & ~bad).any():
                suspects.append((column, breaks))
        table = pa.Table.from_arrays(arrays, schema=self.schema)
        faults += broken_rules(table, suspects)
        if rows is not None:
            faults += self._repeated(table, rows)
        order = {column.name: place for place, column in enumerate(self.columns)}
        faults.sort(key=lambda fault: (fault.row, order[fault.column]))
        valid = np.ones(len(raw), bool)
        valid[[fault.row for fault in faults]] = False
        return CheckedChunk(table=table, faults=faults, valid=valid)

    def _repeated(self, table: pa.Table, rows: IntArray) -> list[Fault]:
        faults = []
        for column in self.columns:
            again = self.repeated.get(column.name)
            if again is not None and len(again):
                found = np.flatnonzero(np.isin(rows, again, assume_unique=True))
                shown = table[column.name].take(pa.array(found)).to_pylist()
                faults += [_fault(int(row), column, REPEATED, value) for row, value in zip(found, shown, strict=True)]
        return faults


def broken_rules(table: pa.Table, suspects: Sequence[tuple[Column, npt.NDArray[np.bool_]]]) -> list[Fault]:
    """Return the rules of their columns that rows break, as pandera sees it.

    Parameters
    ----------
    table : pyarrow.Table
        Typed rows.
    suspects : sequence of (Column, ndarray of bool)
        Columns, each with the rows to look at.

    Returns
    -------
    list of Fault
        By column.
    """
    faults = []
    for column, mask in suspects:
        places = np.flatnonzero(mask)
        frame = frame_of(table.select([column.name]).take(pa.array(places)))
        try:
            pandera_schema([column]).validate(frame, lazy=True)
        except pandera.errors.SchemaErrors as found:
            cases = found.failure_cases[["index", "check", "failure_case"]].itertuples(index=False, name=None)
            faults += [_fault(int(places[int(index)]), column, check, value) for index, check, value in cases]
    return faults


def _fault(row: int, column: Column, check: str, value: Any) -> Fault:
    if check == "not_nullable":
        return Fault(row=row, column=column.name, rule=MISSING, value=None)
    return Fault(row=row, column=column.name, rule=check, value=_shown(value, column))


def _shown(value: Any, column: Column) -> str | None:
    if column.pii:
        return HIDDEN
    if value is None or pd.isna(value):
        return None
    return bounded(time_text(value) if isinstance(value, datetime) else str(value))


def _misfits(values: pa.Array, rows: npt.NDArray[np.intp], column: Column, zone: str) -> list[Fault]:
    found = values.take(pa.array(rows))
    rules = misfit_rules(found, column.dtype, zone) if len(rows) else []
    return [
        Fault(row=int(row), column=column.name, rule=rule, value=_shown(str(value), column))
        for row, rule, value in zip(rows, rules, found.to_pylist(), strict=True)
    ]


def whole_rows(raw: pa.Table, rows: npt.NDArray[np.intp]) -> list[str]:
    """Return rows as JSON texts, as they came.

    Parameters
    ----------
    raw : pyarrow.Table
        The chunk before typing.
    rows : ndarray of int
        Positions in the chunk.

    Returns
    -------
    list of str
        One JSON object for each row.
    """
    return [json.dumps(row, default=str, ensure_ascii=False) for row in raw.take(pa.array(rows)).to_pylist()]
