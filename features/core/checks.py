"""Which rows of a chunk break the contract, with every reason."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa

from features.core.coerce import coerce, misfit_rules
from features.core.schema import Column, arrow_schema
from features.ground.errors import bounded

MISSING = "missing_value"


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
        What was there, at most 120 characters.
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

    Parameters
    ----------
    columns : sequence of Column
        The contract.
    zone : str
        Zone of times that name none; empty: they don't fit.
    """

    def __init__(self, columns: Sequence[Column], zone: str = "") -> None:
        self.columns, self.zone = tuple(columns), zone
        self.schema = arrow_schema(columns)
        self.constrained = [c.name for c in columns if not c.nullable or _checks(c)]
        self.frame_schema = pandera.DataFrameSchema(
            {
                c.name: pandera.Column(None, _checks(c), nullable=c.nullable)
                for c in columns
                if c.name in self.constrained
            }
        )

    def check(self, raw: pa.Table) -> CheckedChunk:
        """Type a chunk and find all faults of all its rows.

        Parameters
        ----------
        raw : pyarrow.Table
            The contract's columns, as text or typed.

        Returns
        -------
        CheckedChunk
        """
        arrays, faults = [], []
        for column in self.columns:
            values = raw.column(column.name).combine_chunks()
            typed, bad = coerce(values, column.dtype, self.zone)
            arrays.append(typed)
            faults += _misfits(values, np.flatnonzero(bad), column, self.zone)
        table = pa.Table.from_arrays(arrays, schema=self.schema)
        broken = {(fault.row, fault.column) for fault in faults}
        # A value that doesn't fit was made null above: its one reason is that it doesn't fit.
        faults += [fault for fault in self._broken_rules(table) if (fault.row, fault.column) not in broken]
        order = {column.name: place for place, column in enumerate(self.columns)}
        faults.sort(key=lambda fault: (fault.row, order[fault.column]))
        valid = np.ones(len(raw), bool)
        valid[[fault.row for fault in faults]] = False
        return CheckedChunk(table=table, faults=faults, valid=valid)

    def _broken_rules(self, table: pa.Table) -> list[Fault]:
        if not self.constrained:
            return []
        frame = table.select(self.constrained).to_pandas()
        try:
            self.frame_schema.validate(frame, lazy=True)
        except pandera.errors.SchemaErrors as found:
            return [_fault(*row) for row in found.failure_cases[["index", "column", "check", "failure_case"]].values]
        return []


def _checks(column: Column) -> list[pandera.Check]:
    checks = []
    if column.min is not None:
        checks.append(pandera.Check.ge(column.min, error="below_minimum"))
    if column.max is not None:
        checks.append(pandera.Check.le(column.max, error="above_maximum"))
    if column.allowed is not None:
        checks.append(pandera.Check.isin(column.allowed, error="not_allowed"))
    return checks


def _fault(index: int, column: str, check: str, value: Any) -> Fault:
    missing = check == "not_nullable"
    shown = None if missing or pd.isna(value) else bounded(str(value))
    return Fault(row=int(index), column=column, rule=MISSING if missing else check, value=shown)


def _misfits(values: pa.Array, rows: npt.NDArray[np.intp], column: Column, zone: str) -> list[Fault]:
    found = values.take(pa.array(rows))
    rules = misfit_rules(found, column.dtype, zone) if len(rows) else []
    return [
        Fault(row=int(row), column=column.name, rule=rule, value=bounded(str(value)))
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
