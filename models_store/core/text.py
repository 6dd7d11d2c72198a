"""Values made fit for a database column and a canonical form."""

import math
from collections.abc import Mapping
from typing import Any

from features.ground.errors import bounded


def storable(text: str, limit: int) -> str:
    """Return the text without what no database stores, and no longer than the limit.

    Parameters
    ----------
    text : str
        Anything a caller sent.
    limit : int
        Characters to keep.

    Returns
    -------
    str
        The text with NUL and lone surrogates replaced, cut at the limit.
    """
    clean = text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
    return bounded(clean, limit)


def finite(value: Any) -> Any:
    """Return a JSON value in which NaN and infinities have become null.

    Parameters
    ----------
    value : Any
        Mappings, sequences and scalars, numpy's included.

    Returns
    -------
    Any
        The same as plain dicts, lists and scalars; a number that isn't finite was never measured, so null.

    Raises
    ------
    TypeError
        If something in it has no JSON form.
    """
    if isinstance(value, Mapping):
        return {str(key): finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    if hasattr(value, "tolist"):
        return finite(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"no JSON form for {type(value).__name__}")
