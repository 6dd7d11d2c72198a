"""One text for the columns that name an entity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from features.core.schema import Column
from features.errors import BadEntityError, DefinitionError
from features.ground.errors import bounded
from features.ground.late import pa, pc

SEPARATOR = "|"
MAX_KEY = 300


def entity_key(values: Sequence[object]) -> str:
    r"""Return the key of an entity: its one value as text, or several joined by `|`.

    Parameters
    ----------
    values : sequence
        The entity columns' values, in the view's order; `|` and `\` inside a text are escaped where there are several.

    Returns
    -------
    str
    """
    texts = [str(value) for value in values]
    if len(texts) == 1:
        return texts[0]
    return SEPARATOR.join(text.replace("\\", "\\\\").replace(SEPARATOR, "\\" + SEPARATOR) for text in texts)


def entity_keys(entities: pa.Table) -> list[str]:
    """Return the key of each row.

    Parameters
    ----------
    entities : pyarrow.Table of n rows
        The entity columns, in the view's order, none missing.

    Returns
    -------
    list of str
        As `entity_key` gives them.

    Raises
    ------
    DefinitionError
        If a key is too long for the store.
    """
    column = entities.column(0)
    if entities.num_columns == 1 and (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
        texts = column.cast(pa.string())
        keys: list[str] = texts.to_pylist()
        longest = pc.max(pc.utf8_length(texts)).as_py() or 0
    else:
        keys = [entity_key(row) for row in zip(*(column.to_pylist() for column in entities.columns), strict=True)]
        longest = max(map(len, keys), default=0)
    if longest > MAX_KEY:
        long = next(key for key in keys if len(key) > MAX_KEY)
        raise DefinitionError(f"an entity's key may have {MAX_KEY} characters; got {len(long)}: {long[:60]!r}…")
    return keys


def asked_key(item: object, columns: Sequence[Column]) -> str:
    """Return the key a caller means.

    Parameters
    ----------
    item : object
        The key itself, or a mapping that gives each entity column's value.
    columns : sequence of Column
        The entity columns, in the view's order.

    Returns
    -------
    str

    Raises
    ------
    BadEntityError
        If it is neither, names other columns, or could be the key of nothing.
    """
    names = [column.name for column in columns]
    if isinstance(item, Mapping):
        if set(item) != set(names):
            wanted, got = ", ".join(names), ", ".join(map(str, item))
            raise BadEntityError(f"an entity of this view is named by {wanted}; got {bounded(got) or 'nothing'}")
        item = entity_key([_value(item[column.name], column) for column in columns])
    if not isinstance(item, str):
        raise BadEntityError(
            f"an entity is its key, a text, or an object with {', '.join(names)}; got {bounded(repr(item))}"
        )
    if not 0 < len(item) <= MAX_KEY or "\x00" in item or not _is_unicode(item):
        raise BadEntityError(f"an entity's key is a text of 1 to {MAX_KEY} characters; got {bounded(repr(item))}")
    return item


def _value(value: object, column: Column) -> object:
    """Return a value of JSON as the dataset holds it, so that 5 and 5.0 name the same entity."""
    if not isinstance(value, str | int | float) or isinstance(value, bool) != (column.dtype == "boolean"):
        wanted = "true or false" if column.dtype == "boolean" else "a text or a number"
        raise BadEntityError(f"entity column {column.name!r} takes {wanted}; got {bounded(repr(value))}")
    if column.dtype == "number" and isinstance(value, int):
        return float(value)
    return int(value) if column.dtype == "integer" and isinstance(value, float) and value.is_integer() else value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
