"""What rows in force make of a column: its newest value, its extremes, how many values it has."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.core.extremes import least_in_force
from features.core.point_in_time import IntArray, Matched, entity_starts

BoolArray = npt.NDArray[np.bool_]


class Newest:
    """Finds the newest values of columns; what columns share is worked out once.

    Parameters
    ----------
    events : pyarrow.Table of n_rows
        Entity columns and the columns.
    matched : Matched
        Rows and labels in order.
    entity : sequence of str
        Names of the entity columns.
    """

    def __init__(self, events: pa.Table, matched: Matched, entity: Sequence[str]) -> None:
        self.events, self.matched = events, matched
        self.rank = np.empty(events.num_rows, np.int64)
        self.rank[matched.order] = np.arange(events.num_rows)
        self.tied = _tied(events, matched, entity)
        self.whole: IntArray | None = None

    def values(self, name: str, window_us: int) -> pa.Array:
        """Find, for each label, the newest value known by then.

        Parameters
        ----------
        name : str
            A column.
        window_us : int
            One of the windows.

        Returns
        -------
        pyarrow.Array of n_labels
            Missing where there is none. Of several values of one time the one known last counts; of one time known,
            the greatest.
        """
        column, order = self.events[name].combine_chunks(), self.matched.order
        if not len(order):
            return pa.nulls(len(self.matched.begun), column.type)
        if self.tied.any():
            column = _settled(column, order, self.tied)
        found = self._found(column)
        # Whatever is of an earlier entity, or over, ranks below the first row that is not over.
        usable = found >= self.matched.ended[window_us]
        return column.take(pa.array(order[np.maximum(found, 0)], mask=~usable))

    def _found(self, column: pa.Array) -> IntArray:
        if not column.null_count and self.whole is not None:
            return self.whole
        there = pc.is_valid(column).to_numpy(zero_copy_only=False)
        ranks = np.where(there, self.rank, -1)[self.matched.begun_order]
        found: IntArray = np.concatenate([[-1], np.maximum.accumulate(ranks)])[self.matched.begun]
        if not column.null_count:
            self.whole = found
        return found


def _tied(events: pa.Table, matched: Matched, entity: Sequence[str]) -> BoolArray:
    """Return which rows, in order, are equal to the one before in entity and both times."""
    event, known = matched.event[matched.order], matched.known[matched.order]
    tied = np.zeros(len(event), bool)
    tied[1:] = (event[1:] == event[:-1]) & (known[1:] == known[:-1])
    # Rows of two entities that are neighbours seldom have one time: mostly this is all there is to do.
    return tied & ~entity_starts(events, matched.order, entity) if tied.any() else tied


def _settled(column: pa.Array, order: IntArray, tied: BoolArray) -> pa.Array:
    """Give rows that are equal in entity and both times the greatest of their values."""
    group = np.cumsum(~tied)
    several = np.flatnonzero(np.bincount(group)[group] > 1)
    rows = pa.table({"group": group[several], "value": column.take(pa.array(order[several]))})
    greatest = rows.group_by("group").aggregate([("value", "max")]).sort_by("group")
    place = np.searchsorted(greatest["group"].to_numpy(), group[several])
    mask = np.zeros(len(order), bool)
    mask[order[several]] = True
    by_row = greatest["value_max"].take(pa.array(place[np.argsort(order[several], kind="stable")]))
    return pc.replace_with_mask(column, pa.array(mask), by_row.combine_chunks().cast(column.type))


def least(values: pa.ChunkedArray, matched: Matched, window_us: int, *, sign: float) -> pa.Array:
    """Find, for each label, the least or greatest value in force.

    Parameters
    ----------
    values : pyarrow.ChunkedArray of n_rows
        Numbers.
    matched : Matched
        Rows and labels in order.
    window_us : int
        One of the windows.
    sign : float
        1.0 for the least, -1.0 for the greatest.

    Returns
    -------
    pyarrow.Array of n_labels
        Missing where nothing is in force.
    """
    rows = len(matched.order)
    first, end = np.empty(rows, np.int64), np.empty(rows, np.int64)
    if matched.labels_before is None or matched.label_order is None:
        raise ValueError("matched without ranges")
    first[matched.begun_order] = matched.labels_before
    end[matched.order] = matched.labels_until[window_us]
    used = pc.is_valid(values).to_numpy()
    numbers = sign * values.drop_null().to_numpy()
    found = least_in_force(first[used], np.maximum(end, first)[used], numbers, len(matched.begun))
    result = np.empty(len(found))
    result[matched.label_order] = sign * found
    # No negative zero: which of two zeros is less would hang on their order.
    return pa.array(result + 0.0, mask=np.isnan(result))


def distinct(column: pa.ChunkedArray, matched: Matched, starts: BoolArray, window_us: int) -> pa.Array:
    """Count, for each label, the different values in force.

    Parameters
    ----------
    column : pyarrow.ChunkedArray of n_rows
        The values; missing ones don't count.
    matched : Matched
        Rows and labels in order.
    starts : ndarray of bool, shape (n_rows,)
        Which rows, in `matched.order`, are the first of their entity.
    window_us : int
        One of the windows.

    Returns
    -------
    pyarrow.Array of n_labels
    """
    if pa.types.is_floating(column.type):
        column = pc.add(column, 0.0)
    rows = len(matched.order)
    rank, owner = np.empty(rows, np.int64), np.empty(rows, np.int64)
    rank[matched.order] = np.arange(rows)
    owner[matched.order] = np.cumsum(starts)
    codes = pc.fill_null(column.combine_chunks().dictionary_encode().indices, -1).to_numpy().astype(np.int64)
    used = np.flatnonzero((codes >= 0) & (matched.known <= matched.event + window_us))
    by = used[np.lexsort((matched.known[used], codes[used], owner[used]))]
    begins, ends = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    if len(by):
        # Rows of one entity and value that overlap are one stretch: it begins with its first, ends with its newest.
        fresh = np.ones(len(by), bool)
        fresh[1:] = (owner[by][1:] != owner[by][:-1]) | (codes[by][1:] != codes[by][:-1])
        newest_yet = np.maximum.accumulate(np.cumsum(fresh) * rows + rank[by]) % rows
        over = matched.event[matched.order[newest_yet]] + window_us
        first = fresh.copy()
        first[1:] |= matched.known[by][1:] > over[:-1]
        begins[by[first]] = 1
        ends[matched.order[newest_yet[np.append(first[1:], True)]]] = 1
    return pa.array(matched.over(begins, ends, window_us))
