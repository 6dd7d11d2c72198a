"""What MLflow's scoring server takes: the four forms of its JSON."""

from collections.abc import Mapping
from typing import Any

from features.ground.errors import bounded
from predictions.core.parse import read_json
from predictions.core.tables import Table
from predictions.errors import InvalidRequestError

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


def parse_invocation(body: bytes, *, max_depth: int) -> Table:
    """Return the table of an invocation in JSON.

    Parameters
    ----------
    body : bytes
        JSON text with exactly one of dataframe_split, dataframe_records, instances and inputs; other keys are ignored.
    max_depth : int
        How deep lists and objects may nest.

    Returns
    -------
    Table
        Its rows or columns; unnamed ones are in the model's order, columns the model does not take are ignored.

    Raises
    ------
    InvalidRequestError
        If it is malformed.
    """
    value = read_json(body, max_depth=max_depth)
    allowed = f"exactly one of {', '.join(FORMS)}"
    if not isinstance(value, Mapping):
        raise InvalidRequestError(f"the body must be an object with {allowed}; got {bounded(value, 60)}")
    given = [form for form in FORMS if form in value]
    if len(given) != 1:
        raise InvalidRequestError(f"give {allowed}; got {', '.join(given) or 'none'}")
    if not isinstance(value.get("params") or {}, Mapping):
        raise InvalidRequestError(f"params must be an object; got {bounded(value['params'], 60)}")
    form, data = given[0], value[given[0]]
    if form == "dataframe_split":
        return _split(data)
    if form == "dataframe_records":
        return _records(form, data)
    return _columns(data) if form == "inputs" and isinstance(data, Mapping) else _rows(form, data)


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidRequestError(f"{what} must be a list; got {bounded(value, 60)}")
    return value


def _split(data: Any) -> Table:
    if not isinstance(data, Mapping):
        raise InvalidRequestError(f"dataframe_split must be an object with columns and data; got {bounded(data, 60)}")
    names = _list(data.get("columns"), "dataframe_split: columns")
    if not all(isinstance(name, str) for name in names):
        raise InvalidRequestError(f"dataframe_split: columns must be texts; got {bounded(names, 100)}")
    return Table(names=names, rows=_list(data.get("data"), "dataframe_split: data"), lenient=True)


def _records(form: str, data: Any) -> Table:
    records = _list(data, form)
    if odd := [number for number, record in enumerate(records) if not isinstance(record, Mapping)]:
        raise InvalidRequestError(
            f"{form}: row {odd[0]} must be an object; got {bounded(records[odd[0]], 60)}", row=odd[0]
        )
    # As in a data frame, what a record does not name is missing.
    names = list(dict.fromkeys(name for record in records for name in record))
    # No record names no column, and needs none.
    rows = [[record.get(name) for name in names] for record in records]
    return Table(names=names if records else None, rows=rows, lenient=True)


def _rows(form: str, data: Any) -> Table:
    rows = _list(data, form)
    return _records(form, rows) if rows and isinstance(rows[0], Mapping) else Table(rows=rows)


def _columns(data: Mapping[str, Any]) -> Table:
    columns = [_list(values, f"inputs: {bounded(name, 60)}") for name, values in data.items()]
    return Table(names=list(data), columns=columns, lenient=True)
