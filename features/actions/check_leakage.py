"""Look for what a training set must not hold, and refuse it unless somebody takes responsibility by name."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from features.core.leakage import Finding
from features.core.leakage_copies import copies_across_split, events_across_lots
from features.core.leakage_target import target_copies
from features.core.leakage_time import known_later, outcomes_before_known
from features.models import Dataset, FeatureView


def find_leakage(
    table: pa.Table,
    columns: Sequence[Mapping[str, Any]],
    *,
    target: str,
    dataset: Dataset,
    views: Sequence[FeatureView] = (),
    all_rows: pa.Table | None = None,
) -> list[Finding]:
    """Look for leakage in a training set.

    Parameters
    ----------
    table : pyarrow.Table
        The training set.
    columns : sequence of mapping
        Name, dtype and role of each column.
    target : str
        The column to predict; empty where none is declared: then only what needs no target is looked for.
    dataset : Dataset
        The labels' dataset.
    views : sequence of FeatureView
        The views that were joined.
    all_rows : pyarrow.Table, optional
        All rows of the labels' dataset, of later times too; without them the own features' timing isn't looked at.

    Returns
    -------
    list of Finding
        In a fixed order: by timing, by target, by copies.
    """
    found: list[Finding] = []
    if all_rows is not None and dataset.known_at_column:
        own = [column.as_dict() for column in dataset.columns()]
        found += known_later(all_rows, own, timestamp=dataset.timestamp_column, known_at=dataset.known_at_column)
    if target and not dataset.known_at_column:
        of_labels = [view.definition() for view in views if view.dataset_id == dataset.pk]
        found += outcomes_before_known(of_labels, target=target)
    if target:
        found += target_copies(table, columns, target)
    return found + copies_across_split(table, columns, target=target, timestamp=dataset.timestamp_column)


def find_across_lots(table: pa.Table, columns: Sequence[Mapping[str, Any]], *, target: str) -> list[Finding]:
    """Look for rows that a test drawn by lot shares with those learnt from.

    Parameters
    ----------
    table : pyarrow.Table
        The training set.
    columns : sequence of mapping
        Name, dtype and role of each column.
    target : str
        The column to predict; empty where there is none.

    Returns
    -------
    list of Finding
        Rows of one entity at one time, then copies.
    """
    return events_across_lots(table, columns) + copies_across_split(table, columns, target=target)


def target_of(columns: Sequence[Mapping[str, Any]], asked: str = "") -> str:
    """Return the column to predict.

    Parameters
    ----------
    columns : sequence of mapping
        Name and role of each column.
    asked : str, optional
        What the caller named.

    Returns
    -------
    str
        That, or the column of role target; empty where there is none.
    """
    names = [column["name"] for column in columns]
    declared = next((column["name"] for column in columns if column["role"] == "target"), "")
    return asked if asked in names else declared
