"""From the rows of a request to columns a model can take, or a message that says which cell is wrong."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from features.ground.errors import bounded
from predictions.core.input_limits import InputLimits
from predictions.core.number_frame import Layout, NumberFrame
from predictions.core.plain_rows import PlainRows
from predictions.errors import InvalidRequestError, TooManyRowsError

Columns = Mapping[str, npt.NDArray[Any]]
"""Input columns in the schema's order: float arrays with NaN for missing, object arrays of text with None."""

_NUMERIC = frozenset((float, int, bool, type(None)))
_OBJECT = np.dtype(object)


class InputPlan:
    """How one model's inputs are checked and laid out; made once when the model is loaded.

    Parameters
    ----------
    schema : sequence of mapping
        Columns in order: name, dtype (number or string), nullable, min, max, allowed.
    limits : InputLimits
        What the installation lets in.
    """

    def __init__(self, schema: Sequence[Mapping[str, Any]], limits: InputLimits) -> None:
        self.limits = limits
        self.columns = [dict(column) for column in schema]
        self.names = [str(column["name"]) for column in schema]
        self._known = frozenset(self.names)
        self.layout = Layout(self.names)
        self._texts = [i for i, column in enumerate(schema) if column["dtype"] == "string"]
        self._numbers = [i for i, column in enumerate(schema) if column["dtype"] != "string"]
        bounds = [self.bounds(column) for column in schema]
        self._low = np.array([bounds[i][0] for i in self._numbers], dtype=np.float64)
        self._high = np.array([bounds[i][1] for i in self._numbers], dtype=np.float64)
        self.plain = None if self._texts else PlainRows(self.layout, self._low, self._high, limits.max_rows)
        self._required = np.array([not schema[i].get("nullable", False) for i in self._numbers], dtype=bool)
        self._allowed = {i: frozenset(schema[i]["allowed"]) for i in self._texts if schema[i].get("allowed")}

    def bounds(self, column: Mapping[str, Any]) -> tuple[float, float]:
        """Return the smallest and largest number a column may hold."""
        low, high = column.get("min"), column.get("max")
        return (
            self.limits.min_value if low is None else max(float(low), self.limits.min_value),
            self.limits.max_value if high is None else min(float(high), self.limits.max_value),
        )

    def from_rows(self, rows: Sequence[Any], *, limited: bool = True) -> Columns:
        """Return rows in the model's column order as columns.

        Parameters
        ----------
        rows : sequence of list
            One list per row, one cell per column; None and NaN are missing.
        limited : bool, default True
            Whether the row limit of a request holds.

        Returns
        -------
        Columns
            Float arrays with NaN for missing, object arrays of text with None.

        Raises
        ------
        InvalidRequestError
            If a row has another length, or a cell is of another type, out of bounds or missing.
        TooManyRowsError
            If there are more rows than one request may hold.
        """
        if limited:
            self.check_count(len(rows))
        if not ({list} == set(map(type, rows)) and {len(self.names)} == set(map(len, rows))):
            self._check_shape(rows)
        return self._columns(rows)

    def _check_shape(self, rows: Sequence[Any]) -> None:
        width = len(self.names)
        for number, row in enumerate(rows):
            if not isinstance(row, list | tuple):
                raise InvalidRequestError(
                    f"row {number} must be a list of {width} values; got {bounded(row, 60)}", row=number
                )
            if len(row) != width:
                raise InvalidRequestError(
                    f"row {number} has {len(row)} values; the model takes {width}: "
                    f"{bounded(', '.join(self.names), 300)}",
                    row=number,
                    expected=width,
                    got=len(row),
                )

    def from_records(self, records: Sequence[Any], *, limited: bool = True) -> Columns:
        """Return records as columns; see `from_rows`.

        Raises
        ------
        InvalidRequestError
            If a record lacks a column or names an unknown one, or a cell can't be used.
        TooManyRowsError
            If there are more records than one request may hold.
        """
        if limited:
            self.check_count(len(records))
        rows = []
        for number, record in enumerate(records):
            if not isinstance(record, Mapping):
                raise InvalidRequestError(
                    f"row {number} must be an object with the model's columns; got {bounded(record, 60)}", row=number
                )
            if record.keys() != self._known:
                raise self._wrong_keys(number, record)
            rows.append([record[name] for name in self.names])
        return self._columns(rows)

    def from_columns(self, columns: Sequence[npt.NDArray[Any] | list[Any]]) -> Columns:
        """Return columns in the model's order as checked ones; see `from_rows`.

        Parameters
        ----------
        columns : sequence of ndarray or list
            One per column of the model, all of one length; numbers as arrays of numbers, or anything as lists of cells.

        Raises
        ------
        InvalidRequestError
            If a cell is of another type, out of bounds or missing.
        TooManyRowsError
            If there are more rows than one request may hold.
        """
        count = len(columns[0]) if columns else 0
        self.check_count(count)
        if any(getattr(columns[i], "dtype", _OBJECT).kind not in "fiub" for i in self._numbers):
            return self.from_rows(_rows(columns))
        matrix = np.empty((count, len(self._numbers)), dtype=np.float64)
        for place, i in enumerate(self._numbers):
            matrix[:, place] = columns[i]
        return self._named(self._bounded(matrix, lambda: _rows(columns)), {i: _cells(columns[i]) for i in self._texts})

    def from_matrix(self, matrix: npt.NDArray[Any]) -> Columns:
        """Return numbers by row, in the order of a model of numbers, as checked columns; see `from_rows`.

        Parameters
        ----------
        matrix : ndarray of shape (n_rows, n_columns)
            NaN for a missing one.

        Raises
        ------
        InvalidRequestError
            If a number is out of bounds or missing.
        TooManyRowsError
            If there are more rows than one request may hold.
        """
        self.check_count(len(matrix))
        cells = matrix.astype(np.float64)
        return NumberFrame(self.layout, self._bounded(cells, lambda: matrix.tolist()))

    def check_count(self, count: int) -> None:
        """Refuse more rows than one request may hold.

        Raises
        ------
        TooManyRowsError
            If there are more.
        """
        if count > self.limits.max_rows:
            raise TooManyRowsError(
                f"{count} rows are too many: one request may hold {self.limits.max_rows}",
                limit=self.limits.max_rows,
                got=count,
            )

    def _wrong_keys(self, number: int, record: Mapping[str, Any]) -> InvalidRequestError:
        missing = [name for name in self.names if name not in record]
        unknown = [bounded(key, 60) for key in record if key not in self._known]
        wrong = f"lacks {', '.join(missing[:10])}" if missing else f"has unknown {', '.join(unknown[:10])}"
        return InvalidRequestError(
            f"row {number} {wrong}; the model takes {bounded(', '.join(self.names), 300)}",
            row=number,
            missing=missing[:10],
            unknown=unknown[:10],
        )

    def _columns(self, rows: Sequence[Any]) -> Columns:
        texts, numbers = self._texts, self._numbers
        cells = [[row[i] for i in numbers] for row in rows] if texts else rows
        return self._named(self._matrix(cells, rows), {i: [row[i] for row in rows] for i in texts})

    def _named(self, matrix: npt.NDArray[np.float64], texts: Mapping[int, list[Any]]) -> Columns:
        if not texts:
            return NumberFrame(self.layout, matrix)
        by_place: dict[int, npt.NDArray[Any]] = {i: matrix[:, place] for place, i in enumerate(self._numbers)}
        for i, values in texts.items():
            by_place[i] = self._text(i, values)
        return {name: by_place[i] for i, name in enumerate(self.names)}

    def _matrix(self, cells: Sequence[Any], rows: Sequence[Any]) -> npt.NDArray[np.float64]:
        if not _NUMERIC.issuperset(map(type, chain.from_iterable(cells))):
            raise self._first_fault(rows)
        try:
            matrix = np.array(cells, dtype=np.float64).reshape(len(rows), len(self._numbers))
        except OverflowError:
            raise self._first_fault(rows) from None
        return self._bounded(matrix, lambda: rows)

    def _bounded(self, matrix: npt.NDArray[np.float64], rows: Callable[[], Sequence[Any]]) -> npt.NDArray[np.float64]:
        inside = (matrix >= self._low) & (matrix <= self._high)
        if inside.all():
            return matrix
        missing = np.isnan(matrix)
        if missing.any():
            if self.limits.nan_replacement is not None:
                matrix[missing] = self.limits.nan_replacement
            elif (missing & self._required).any():
                raise self._first_fault(rows())
        inside = (matrix >= self._low) & (matrix <= self._high)
        if not (inside | missing).all():
            raise self._first_fault(rows())
        return matrix

    def _text(self, place: int, values: list[Any]) -> npt.NDArray[np.object_]:
        # A literal NaN is missing in a column of text too.
        values = [None if value != value else value for value in values]
        for number, value in enumerate(values):
            if (fault := self.fault(place, value)) is not None:
                raise self._error(number, place, value, fault)
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column

    def _first_fault(self, rows: Sequence[Any]) -> InvalidRequestError:
        for number, row in enumerate(rows):
            for place, value in enumerate(row):
                if (fault := self.fault(place, value)) is not None:
                    return self._error(number, place, value, fault)
        return InvalidRequestError("a value can't be used")

    def _error(self, number: int, place: int, value: Any, allowed: str) -> InvalidRequestError:
        name, got = self.names[place], bounded(value, 60)
        return InvalidRequestError(
            f"row {number}, column {name}: {allowed}; got {got}", row=number, column=name, allowed=allowed, got=got
        )

    def fault(self, place: int, value: Any) -> str | None:
        """Return what is allowed in a column if the value is not, else None.

        Parameters
        ----------
        place : int
            The column's place in the schema, from 0.
        value : Any
            One cell; None and NaN are missing.
        """
        column = self.columns[place]
        if value is None or value != value:
            return self._missing_fault(column)
        if column["dtype"] == "string":
            return self._text_fault(place, value)
        if type(value) not in _NUMERIC and not isinstance(value, np.number | np.bool_):
            return "must be a number"
        low, high = self.bounds(column)
        return None if low <= value <= high else f"must be a number from {low:g} to {high:g}"

    def _missing_fault(self, column: Mapping[str, Any]) -> str | None:
        replaced = column["dtype"] != "string" and self.limits.nan_replacement is not None
        return None if replaced or column.get("nullable", False) else "must not be missing"

    def _text_fault(self, place: int, value: Any) -> str | None:
        if not isinstance(value, str):
            return "must be a text"
        if len(value) > self.limits.max_string:
            return f"must be a text of at most {self.limits.max_string} characters"
        if "\x00" in value:
            return "must be a text without NUL characters"
        allowed = self._allowed.get(place)
        if allowed is not None and value not in allowed:
            return f"must be one of {bounded(', '.join(sorted(map(str, allowed))), 200)}"
        return None


def _rows(columns: Sequence[npt.NDArray[Any] | list[Any]]) -> list[Any]:
    return list(zip(*map(_cells, columns), strict=True))


def _cells(column: npt.NDArray[Any] | list[Any]) -> list[Any]:
    return list(column.tolist()) if isinstance(column, np.ndarray) else column
