"""Which rows count for which label.

A row counts for a label at time t if it happened in [t - window, t) and was known by t. So each row is in force
from the moment it is known until its window has passed, and never if it became known later than that. What is in
force at t is then what has begun by t less what has ended before t. One sort of rows and questions by entity and time,
which the engine does, tells for each label how many rows had begun and how many had ended, counted through all
entities: of earlier entities all have done both, so they cancel. The rest is running sums between two positions.
Times are whole microseconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

IntArray = npt.NDArray[np.int64]
Frames = Callable[[pa.Table], nw.LazyFrame[Any]]

AT, EVENT, KNOWN = "__at", "__event", "__known"
WHEN, TIE, CODE = "__when", "__tie", "__code"


@dataclass(frozen=True, kw_only=True, slots=True)
class Matched:
    """Rows and labels in order of entity and time.

    Parameters
    ----------
    order, begun_order : ndarray of int, shape (n_rows,)
        Places of the rows by entity, event time and time known; and by entity and time known.
    begun : ndarray of int, shape (n_labels,)
        How many rows of `begun_order` come before each label.
    ended : mapping of int to ndarray of int, shape (n_labels,)
        By window, how many rows of `order` were over before each label.
    label_order : ndarray of int, shape (n_labels,), or None
        Places of the labels by entity and time; this and what follows only where ranges are wanted.
    labels_before : ndarray of int, shape (n_rows,), or None
        How many labels of `label_order` come before the row at each place of `begun_order`.
    labels_until : mapping of int to ndarray of int, shape (n_rows,)
        By window, how many labels of `label_order` come before the row at each place of `order` is over.
    event, known : ndarray of int, shape (n_rows,)
        Times of the rows, in microseconds; known is later than the event.
    """

    order: IntArray
    begun_order: IntArray
    begun: IntArray
    ended: Mapping[int, IntArray]
    label_order: IntArray | None
    labels_before: IntArray | None
    labels_until: Mapping[int, IntArray]
    event: IntArray
    known: IntArray

    def over(self, values: IntArray, ending: IntArray, window_us: int) -> IntArray:
        """Return, for each label, what has begun less what has ended.

        Parameters
        ----------
        values, ending : ndarray of int, shape (n_rows,)
            What each row adds when it begins and takes away when it ends.
        window_us : int
            One of the windows.

        Returns
        -------
        ndarray of int, shape (n_labels,)
            What has begun altogether may pass 64 bits on the way; what is in force at one time must not.
        """
        begun = np.concatenate([[0], np.cumsum(values[self.begun_order])])[self.begun]
        result: IntArray = begun - np.concatenate([[0], np.cumsum(ending[self.order])])[self.ended[window_us]]
        return result


def match(
    labels: pa.Table,
    events: pa.Table,
    *,
    entity: Sequence[str],
    windows_us: Sequence[int],
    ranges: bool,
    frames: Frames,
) -> Matched:
    """Bring rows and labels into order.

    Parameters
    ----------
    labels, events : pyarrow.Table
        Entity columns, and in microseconds the asking time; the event time and the time known.
    entity : sequence of str
        Names of the entity columns.
    windows_us : sequence of int
        The windows, in microseconds.
    ranges : bool
        Whether it is wanted, too, which labels each row counts for.
    frames : callable
        Hands a table to the engine and returns a lazy frame of it.

    Returns
    -------
    Matched
    """
    event, at = events[EVENT].to_numpy(), labels[AT].to_numpy()
    # A row that was known before it happened counts from the moment after it happened.
    known = np.maximum(events[KNOWN].to_numpy(), event + 1)
    over = [at - window - 1 for window in windows_us]
    if (known > event + 1).any():
        begun = _sorted(labels, events, entity, known, None, [at], ranges=ranges, frames=frames)
        ended = _sorted(labels, events, entity, event, known, over, ranges=ranges, frames=frames)
    else:
        # Known at once, a row has begun at t if it happened by t - 1: the same order serves.
        ended = _sorted(labels, events, entity, event, None, [at - 1, *over], ranges=ranges, frames=frames)
        begun, ended = ended, ended.without_first()
    return Matched(
        order=ended.order,
        begun_order=begun.order,
        begun=begun.rows_before[0],
        ended=dict(zip(windows_us, ended.rows_before, strict=True)),
        label_order=begun.label_order if ranges else None,
        labels_before=begun.labels_before[0] if ranges else None,
        labels_until=dict(zip(windows_us, ended.labels_before, strict=True)) if ranges else {},
        event=event,
        known=known,
    )


class _Sorted(NamedTuple):
    """Rows in order, and by question how many rows come before each label and how many labels before each row."""

    order: IntArray
    label_order: IntArray
    rows_before: list[IntArray]
    labels_before: list[IntArray]

    def without_first(self) -> "_Sorted":
        return self._replace(rows_before=self.rows_before[1:], labels_before=self.labels_before[1:])


def _sorted(
    labels: pa.Table,
    events: pa.Table,
    entity: Sequence[str],
    when: IntArray,
    tie: IntArray | None,
    asked: Sequence[IntArray],
    *,
    ranges: bool,
    frames: Frames,
) -> _Sorted:
    codes = _in_order(labels, events, when, tie, asked, entity, frames)
    rows, count, kinds = events.num_rows, labels.num_rows, len(asked)
    order, places = _positions(codes, rows, count, kinds)
    first = codes[(codes >= rows) & (codes < rows + count)] - rows if ranges else codes[:0]
    return _Sorted(order, first, places, _labels_before(codes, rows, count, kinds) if ranges else [])


def _in_order(
    labels: pa.Table,
    events: pa.Table,
    when: IntArray,
    tie: IntArray | None,
    asked: Sequence[IntArray],
    entity: Sequence[str],
    frames: Frames,
) -> IntArray:
    """Sort rows and questions by entity and time: first the numbers of the rows, then those of the questions."""
    keys = pa.concat_tables([events.select(entity), *[labels.select(entity)] * len(asked)])
    # At one time, what happens comes before who asks.
    times = np.concatenate([when * 2, *(at * 2 + 1 for at in asked)])
    steps = keys.append_column(WHEN, pa.array(times)).append_column(CODE, pa.array(np.arange(len(times))))
    by = [*entity, WHEN]
    if tie is not None:
        steps = steps.append_column(TIE, pa.array(np.concatenate([tie, np.zeros(len(times) - len(tie), np.int64)])))
        by.append(TIE)
    found: pa.Table = frames(steps).sort(*by).select(CODE).collect("pyarrow").to_native()
    codes: IntArray = found[CODE].to_numpy()
    return codes


def _positions(codes: IntArray, rows: int, labels: int, kinds: int) -> tuple[IntArray, list[IntArray]]:
    """Return the rows in order, and for each kind of question how many rows come before each label's."""
    is_row = codes < rows
    asks = np.flatnonzero(~is_row)
    places = np.empty(kinds * labels, np.int64)
    # As many rows come before a question as there are places before it, less the questions among them.
    places[codes[asks] - rows] = asks - np.arange(len(asks))
    return codes[is_row], list(places.reshape(kinds, labels))


def _labels_before(codes: IntArray, rows: int, labels: int, kinds: int) -> list[IntArray]:
    """Return for each kind of question how many come before each row."""
    is_row = codes < rows
    firsts = (rows + kind * labels for kind in range(kinds))
    return [np.cumsum((codes >= first) & (codes < first + labels), dtype=np.int64)[is_row] for first in firsts]


def entity_starts(events: pa.Table, order: IntArray, entity: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return which rows, in an order by entity, are the first of theirs.

    Parameters
    ----------
    events : pyarrow.Table
        Entity columns without a missing key.
    order : ndarray of int, shape (n_rows,)
        Places of the rows by entity.
    entity : sequence of str
        Names of the entity columns.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
    """
    starts = np.zeros(len(order), bool)
    starts[:1] = True
    for name in entity:
        keys = events[name].take(pa.array(order)).combine_chunks()
        if len(keys) > 1:
            starts[1:] |= pc.not_equal(keys[1:], keys[:-1]).to_numpy(zero_copy_only=False)
    return starts
