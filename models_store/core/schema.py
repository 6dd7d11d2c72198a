"""The form of a version's input and output schemas."""

from collections.abc import Mapping, Sequence
from typing import Any

from features.ground.errors import bounded
from models_store.errors import BadVersionError

DTYPES = ("number", "string")
TASKS = ("classification", "regression")
MAX_COLUMNS = 2000
_KEYS = {"name", "dtype", "nullable", "min", "max", "allowed"}


def checked_input_schema(columns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the input columns with every key present.

    Parameters
    ----------
    columns : sequence of mapping
        Each with `name`; `dtype` number (the default) or string; perhaps `nullable`, `min`, `max`, `allowed`.

    Returns
    -------
    list of dict
        In the same order: name, dtype, nullable, min, max, and allowed where given.

    Raises
    ------
    BadVersionError
        If there is no column, a name is missing or taken twice, or a key or type is unknown.
    """
    if not 0 < len(columns) <= MAX_COLUMNS:
        raise BadVersionError(f"an input schema holds 1 to {MAX_COLUMNS} columns, got {len(columns)}")
    checked = [_checked_column(column) for column in columns]
    names = [column["name"] for column in checked]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadVersionError(f"input columns must have different names, got twice: {bounded(', '.join(twice))}")
    return checked


def _checked_column(column: Any) -> dict[str, Any]:
    if not isinstance(column, Mapping) or not isinstance(column.get("name"), str) or not column["name"]:
        raise BadVersionError(f"an input column is a mapping with a name, got {bounded(column)}")
    name = column["name"]
    if unknown := sorted(set(column) - _KEYS, key=str):
        raise BadVersionError(
            f"column {bounded(name)!r}: keys are {', '.join(sorted(_KEYS))}, got {bounded(unknown)}", column=name
        )
    dtype = column.get("dtype", "number")
    if dtype not in DTYPES:
        raise BadVersionError(f"column {bounded(name)!r}: dtype must be number or string, got {bounded(dtype)}")
    low, high, allowed = column.get("min"), column.get("max"), column.get("allowed")
    if not _is_range(low, high) or not isinstance(allowed, list | tuple | None):
        raise BadVersionError(
            f"column {bounded(name)!r}: min and max are numbers with min ≤ max, allowed is a list; "
            f"got min {bounded(low)}, max {bounded(high)}, allowed {bounded(allowed)}"
        )
    plain = {"name": name, "dtype": dtype, "nullable": bool(column.get("nullable")), "min": low, "max": high}
    return plain | ({"allowed": list(allowed)} if allowed else {})


def _is_range(low: Any, high: Any) -> bool:
    for bound in (low, high):
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int | float)):
            return False
    return low is None or high is None or low <= high


def checked_output_schema(output: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Return the output schema, if it fits the task.

    Parameters
    ----------
    output : mapping
        `task`, `classes` for a classifier, and perhaps a `threshold` for one of two classes.
    task : str
        classification or regression.

    Returns
    -------
    dict
        `task` and `classes` (empty for a regression), and the threshold where there is one.

    Raises
    ------
    BadVersionError
        If the task is unknown, differs, a classifier has fewer than two classes, or the threshold can't be one.
    """
    if task not in TASKS or output.get("task", task) != task:
        raise BadVersionError(
            f"task must be classification or regression and the same in the output schema, got {bounded(task)} and "
            f"{bounded(output.get('task'))}"
        )
    classes = list(output.get("classes") or ())
    if task == "classification" and len(classes) < 2:
        raise BadVersionError(f"a classifier has at least two classes, got {bounded(classes)}")
    threshold = output.get("threshold")
    if threshold is not None and not (len(classes) == 2 and isinstance(threshold, float) and 0 < threshold < 1):
        raise BadVersionError(
            f"a threshold is a number between 0 and 1, of a classifier of two classes; got {bounded(threshold)} for "
            f"{len(classes)} classes"
        )
    plain = {"task": task, "classes": classes if task == "classification" else []}
    return plain if threshold is None else plain | {"threshold": threshold}
