"""Which rows bring a value again that a unique column holds already: exact, and on disk beyond a bound of memory."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow.dataset as pads

from features.adapters.duck import duck, quoted, staged
from features.adapters.staging import Staging

IntArray = npt.NDArray[np.int64]


def repeated_rows(rows: Staging, stored: pads.Dataset | None, key: Sequence[str] = ()) -> dict[str, IntArray]:
    """Return, by unique column, the rows whose value was there before, in order.

    A value is taken by the table, and by the first row of the ingestion that has it and no fault of its own.

    Parameters
    ----------
    rows : Staging
        Closed.
    stored : pyarrow Dataset or None
        The rows the table keeps; None where there are none.
    key : sequence of str
        Columns by which valid rows of the ingestion take the place of stored ones.
    """
    found = {}
    for place, name in enumerate(rows.unique):
        again = _repeated(rows, f'"{place}"', name, stored, key)
        if len(again):
            found[name] = again
    return found


def _repeated(rows: Staging, key: str, name: str, stored: pads.Dataset | None, replaced_by: Sequence[str]) -> IntArray:
    with duck(keys=staged(rows.keys_path)) as connection:
        keys = connection.table("keys").filter(f"{key} is not null").set_alias("k")
        first = keys.filter("valid").aggregate(f"{key} as v, min(row) as taken_by", key).set_alias("f")
        found = keys.join(first, f"k.{key} = f.v").filter("row > taken_by").project("row")
        if stored is not None:
            connection.register("stored", stored)
            kept = connection.table("stored").set_alias("t")
            if replaced_by:
                connection.register("valid", staged(rows.valid_path))
                same = " and ".join(f"t.{quoted(column)} = n.{quoted(column)}" for column in replaced_by)
                kept = kept.join(connection.table("valid").set_alias("n"), same, how="anti")
            there = kept.project(f"{quoted(name)} as v").distinct().set_alias("s")
            found = found.union(keys.join(there, f"k.{key} = s.v").project("row"))
        return np.asarray(found.distinct().order("row").to_arrow_table()["row"].to_numpy())
