"""Rows that would be on both sides of a split: copies, told from rows that happen to be alike."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.core.leakage import Finding

# What `train` puts aside for the test by default.
TEST_SHARE = 0.2
# Fewer copies don't move a measure of the test by as much as it is uncertain anyway.
MIN_SHARE, MIN_COPIES = 0.01, 10
# Rows are compared where chance is no explanation: one number alone has nearly as many values as there are different
# rows, so that rows which share it are copies nearly always...
DISTINGUISHING = 0.9
# ...and of all rows a third at least differ: below that they are the few combinations of some categories.
MIN_DISTINCT = 1 / 3
NAME = "duplicates_across_split"
EVENTS = "same_event_across_split"

Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]


def copies_across_split(
    table: pa.Table, columns: Sequence[Mapping[str, Any]], *, target: str, timestamp: str = ""
) -> list[Finding]:
    """Count the test rows whose copy would be among those learnt from: all features and the target are equal.

    Parameters
    ----------
    table : pyarrow.Table
        The training set.
    columns : sequence of mapping
        Name, dtype and role of its columns.
    target : str
        The column to predict; empty where there is none.
    timestamp : str, optional
        With one the test is the latest fifth of the rows; else a fifth drawn by lot, and the count is what is to be
        expected.

    Returns
    -------
    list of Finding
        `duplicates_across_split`: it stops where copies are at least 1 % of the test and 10 rows, and is a note
        below that; nothing where rows can be alike by chance.
    """
    features = [c for c in columns if c["role"] == "feature" and c["dtype"] != "timestamp" and c["name"] != target]
    if len(features) < 2 or table.num_rows < MIN_COPIES:
        return []
    names = [column["name"] for column in features] + ([target] if target else [])
    words = _row_words(table.select(names))
    different = len(np.unique(words))
    if different == table.num_rows or different < MIN_DISTINCT * table.num_rows:
        return []
    copies, tested = _across_time(words, table[timestamp]) if timestamp else _across_lots(words)
    if not copies or not _told_apart(table, features, different):
        return []
    text = f"{copies:,} of {tested:,} test rows have a copy, all features and the target equal, among those learnt from"
    return [_finding(NAME, text, copies, tested, "time" if timestamp else "random")]


def events_across_lots(table: pa.Table, columns: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Count the rows that a test drawn by lot would share with those learnt from: of one entity at one time.

    Parameters
    ----------
    table : pyarrow.Table
        The training set.
    columns : sequence of mapping
        Name and role of its columns.

    Returns
    -------
    list of Finding
        `same_event_across_split`: it stops where that is at least 1 % of the test and 10 rows, and is a note below
        that; nothing where there is no entity or no time.
    """
    by_role = {role: [c["name"] for c in columns if c["role"] == role] for role in ("entity", "timestamp")}
    if not all(by_role.values()):
        return []
    names = [*by_role["entity"], *by_role["timestamp"]]
    known = table.select(names).drop_null()
    at = known[names[-1]].cast(pa.int64())
    copies, _ = _across_lots(_row_words(known.set_column(len(names) - 1, names[-1], at)))
    if not copies:
        return []
    tested = int(table.num_rows * TEST_SHARE)
    of = ", ".join(names)
    text = (
        f"by lot {copies:,} of {tested:,} test rows share {of} with one learnt from; `--split time` keeps them together"
    )
    return [_finding(EVENTS, text, copies, tested, "random")]


def _finding(name: str, text: str, copies: int, tested: int, split: str) -> Finding:
    severe = copies >= max(MIN_COPIES, MIN_SHARE * tested)
    evidence = {"copies": copies, "test_rows": tested, "limit": MIN_SHARE, "split": split}
    return Finding(name=name, severity="stop" if severe else "note", text=text, evidence=evidence)


def _row_words(table: pa.Table) -> Words:
    """Return a 64-bit word for each row, the same for equal rows and, as good as surely, for no others."""
    words = np.zeros(table.num_rows, np.uint64)
    for name in table.column_names:
        words = _mixed(words ^ _value_words(table[name]))
    return words


def _value_words(values: pa.ChunkedArray) -> Words:
    if pa.types.is_string(values.type):
        values = values.combine_chunks().dictionary_encode().indices
    missing = pc.is_null(values, nan_is_null=pa.types.is_floating(values.type)).to_numpy(zero_copy_only=False)
    numbers = pc.fill_null(values.cast(pa.float64(), safe=False), 0.0).to_numpy(zero_copy_only=False)
    if pa.types.is_integer(values.type):
        words = pc.fill_null(values.cast(pa.int64()), 0).to_numpy(zero_copy_only=False).view(np.uint64)
    else:
        # Adding nothing makes one zero of both.
        words = (numbers + 0.0).view(np.uint64)
    return np.where(missing, np.uint64(0x9E3779B97F4A7C15), words)


def _mixed(words: Words) -> Words:
    """Spread every bit over the word (the finalizer of splitmix64)."""
    with np.errstate(over="ignore"):
        words = words + np.uint64(0x9E3779B97F4A7C15)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _across_time(words: Words, times: pa.ChunkedArray) -> tuple[int, int]:
    moments = times.cast(pa.int64()).to_numpy()
    cut = np.sort(moments)[int(len(moments) * (1 - TEST_SHARE))]
    test = moments >= cut
    return int(np.isin(words[test], words[~test]).sum()), int(test.sum())


def _across_lots(words: Words) -> tuple[int, int]:
    """Return how many test rows are expected to have a copy on the other side, of how many."""
    sizes = np.unique(words, return_counts=True)[1].astype(np.float64)
    expected = (sizes * TEST_SHARE * (1 - TEST_SHARE ** (sizes - 1))).sum()
    return int(expected), int(len(words) * TEST_SHARE)


def _told_apart(table: pa.Table, features: Sequence[Mapping[str, Any]], different: int) -> bool:
    """Tell whether one number alone has nearly as many values as there are different rows."""
    numbers = [column["name"] for column in features if column["dtype"] in ("integer", "number")]
    return any(pc.count_distinct(table[name]).as_py() >= DISTINGUISHING * different for name in numbers)
