"""Libraries that are loaded when they are first used: a process that answers predictions never needs most of them."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

__all__ = ["LateMapping", "deltalake", "duckdb", "fs", "joblib", "pa", "pads", "pandera", "pc", "pd", "pq", "stats"]


class _Late:
    """Stands for a module until something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        # Kept, so that the next time it is found without coming here.
        found = self.__dict__[attribute] = getattr(importlib.import_module(self._name), attribute)
        return found


if TYPE_CHECKING:
    import deltalake
    import duckdb
    import joblib
    import pandas as pd
    import pandera.pandas as pandera
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as pads
    import pyarrow.parquet as pq
    from pyarrow import fs
    from scipy import stats
else:
    deltalake, duckdb, joblib = _Late("deltalake"), _Late("duckdb"), _Late("joblib")
    pd, pandera, stats = _Late("pandas"), _Late("pandera.pandas"), _Late("scipy.stats")
    pa, pc = _Late("pyarrow"), _Late("pyarrow.compute")
    pads, pq, fs = _Late("pyarrow.dataset"), _Late("pyarrow.parquet"), _Late("pyarrow.fs")


class LateMapping(Mapping[Key, Value]):
    """A mapping of things such a library makes, made when it is first read.

    Parameters
    ----------
    make : callable
        Returns its items.
    """

    def __init__(self, make: Callable[[], Mapping[Key, Value]]) -> None:
        self._make = make
        self._items: Mapping[Key, Value] | None = None

    def _made(self) -> Mapping[Key, Value]:
        if self._items is None:
            self._items = self._make()
        return self._items

    def __getitem__(self, key: Key) -> Value:
        """Return an item."""
        return self._made()[key]

    def __iter__(self) -> Iterator[Key]:
        """Yield the keys."""
        return iter(self._made())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._made())
