"""Whether served values can be brought up to date by computing some of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from features.ground.canonical import digest


def values_basis(
    definition_digest: str, columns: Sequence[Mapping[str, Any]], times: Sequence[str], grid: Mapping[str, Any]
) -> str:
    """Return a digest of all that decides a value besides the rows and the moment.

    Parameters
    ----------
    definition_digest : str
        Of the view.
    columns : sequence of mapping
        Name and dtype of the entity columns and features.
    times : sequence of str
        The dataset's timestamp and known-at columns.
    grid : mapping
        Steps in which the values are summed: with others, equal rows give other bits.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    body = {"view": definition_digest, "columns": list(columns), "times": list(times), "grid": dict(grid)}
    return digest(body)


def can_refresh(watermark: Mapping[str, Any], *, store: str, basis: str, modes: Sequence[str], tested: bool) -> bool:
    """Tell whether values that are served may be kept where nothing touched them.

    Parameters
    ----------
    watermark : mapping
        What the served values have seen: store, basis.
    store, basis : str
        Where the new values go, and what decides them.
    modes : sequence of str
        How each version of the dataset since then was made.
    tested : bool
        Whether the view's values must pass tests, which are about all of them.

    Returns
    -------
    bool
        False where rows were replaced, or a value could differ without a row that tells.
    """
    same = watermark.get("store") == store and watermark.get("basis") == basis
    return same and not tested and all(mode == "append" for mode in modes)
