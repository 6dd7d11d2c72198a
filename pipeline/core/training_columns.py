"""Which columns of a snapshot a training names."""

from collections.abc import Mapping, Sequence
from typing import Any

from features.ground.errors import bounded
from pipeline.core.training_errors import NoGroupError, UnknownSliceError, UnknownTargetError

Columns = Sequence[Mapping[str, Any]]


def target_name(columns: Columns, asked: str) -> str:
    """Return the column to predict.

    Parameters
    ----------
    columns : sequence of mapping
        The snapshot's columns.
    asked : str
        What the caller named; empty for the column of role target.

    Returns
    -------
    str
        The name.

    Raises
    ------
    UnknownTargetError
        If there is no such column, or none was named.
    """
    names = [column["name"] for column in columns]
    declared = next((column["name"] for column in columns if column["role"] == "target"), "")
    name = asked or declared
    if name in names:
        return str(name)
    listed = bounded(", ".join(names), 400)
    if not name:
        raise UnknownTargetError(f"the snapshot has no target column; name one with --target, of: {listed}")
    raise UnknownTargetError(f"unknown target {bounded(name)}; columns: {listed}", target=name)


def check_slices(columns: Columns, target: str, names: Sequence[str]) -> None:
    """Refuse to slice by what is no column, or by the target.

    Parameters
    ----------
    columns : sequence of mapping
        The snapshot's columns.
    target : str
        The column to predict.
    names : sequence of str
        Columns to slice by.

    Raises
    ------
    UnknownSliceError
        If one is not there.
    """
    allowed = [column["name"] for column in columns if column["name"] != target]
    for name in names:
        if name not in allowed:
            raise UnknownSliceError(
                f"unknown column to slice by: {bounded(name)}; allowed: {bounded(', '.join(allowed), 400)}",
                slice=bounded(name),
            )


def group_name(columns: Columns, target: str, asked: str) -> str:
    """Return the column whose values a group split keeps together.

    Parameters
    ----------
    columns : sequence of mapping
        The snapshot's columns.
    target : str
        The column to predict.
    asked : str
        What the caller named; empty for the only column of role entity.

    Returns
    -------
    str
        The name.

    Raises
    ------
    NoGroupError
        If there is no such column, or it isn't clear which is meant.
    """
    names = [str(column["name"]) for column in columns if column["name"] != target]
    entities = [str(column["name"]) for column in columns if column["role"] == "entity"]
    if asked in names:
        return asked
    if not asked and len(entities) == 1:
        return entities[0]
    known = f"columns of role entity: {', '.join(entities)}" if entities else "there is no column of role entity"
    wrong = f"unknown group {bounded(asked)}" if asked else "a group split keeps one column's values together"
    raise NoGroupError(f"{wrong} ({known}); name one with group, of: {bounded(', '.join(names), 300)}", field="group")
