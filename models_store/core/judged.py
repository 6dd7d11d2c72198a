"""What a version said of its test rows, kept so that another version can be held against it on the same ones."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.ground.late import pa, pq
from models_store.errors import ArtefactCorruptError, BadVersionError

FILE_NAME = "judged_rows.parquet"
MAX_ROWS = 50_000
MAX_VALUES = 2_000_000
_LEAST = 1e-15

FloatArray = npt.NDArray[np.float64]
KeyArray = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class JudgedRows:
    """Test rows by key, what was true of each, and what the version said.

    Attributes
    ----------
    keys : ndarray of uint64, shape (n_rows,)
        Names the row wherever it turns up: equal rows of two snapshots have equal keys, no two of one have.
    actual : ndarray of shape (n_rows,)
        Class codes, as positions in the columns of the probabilities, or values.
    said : ndarray of shape (n_rows, n_classes) or (n_rows,)
        Probabilities, or values.
    """

    keys: KeyArray
    actual: FloatArray
    said: FloatArray

    def losses(self) -> FloatArray:
        """Return the primary loss of each row.

        Returns
        -------
        ndarray of shape (n_rows,)
            Log loss in nats of class probabilities, or the squared error of values.
        """
        if self.said.ndim == 1:
            return np.asarray((self.said - self.actual) ** 2)
        given = self.said[np.arange(len(self.actual)), self.actual.astype(np.int64)]
        return np.asarray(-np.log(np.clip(given, _LEAST, 1.0)))


def judged_bytes(rows: JudgedRows) -> bytes:
    """Return the rows as a Parquet file; of many, those with the smallest keys.

    Keys are hashes, so the smallest are a random sample, and two versions that share rows sample the same ones
    (bottom-k sampling: Cohen and Kaplan, PODC 2007).

    Parameters
    ----------
    rows : JudgedRows
        In any order.

    Returns
    -------
    bytes
        At most 50,000 rows, and fewer where there are many classes; equal rows give equal bytes.

    Raises
    ------
    BadVersionError
        If shapes differ, a key comes twice, a number is not finite, or a class has no column.
    """
    _check(rows)
    width = rows.said.shape[1] if rows.said.ndim == 2 else 1
    kept = np.argsort(rows.keys)[: min(MAX_ROWS, MAX_VALUES // width)]
    said = rows.said[kept]
    flat = pa.array(said.ravel(), pa.float64())
    columns = {
        "key": pa.array(rows.keys[kept], pa.uint64()),
        "actual": pa.array(rows.actual[kept], pa.float64()),
        "said": flat if said.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, width),
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()


def parse_judged(data: bytes) -> JudgedRows:
    """Read the rows from a file whose digest and signature have been checked.

    Parameters
    ----------
    data : bytes
        What `judged_bytes` made.

    Returns
    -------
    JudgedRows
        In the order of their keys.

    Raises
    ------
    ArtefactCorruptError
        If the file has another form.
    """
    try:
        table = pq.read_table(io.BytesIO(data))
        said = table["said"].combine_chunks()
        rows = JudgedRows(
            keys=_plain(table["key"], np.uint64), actual=_plain(table["actual"], np.float64), said=_matrix(said)
        )
        _check(rows)
    except (pa.ArrowException, KeyError, BadVersionError) as error:
        raise ArtefactCorruptError(f"{FILE_NAME} has another form: {error}", file=FILE_NAME) from error
    return rows


def _plain(values: pa.ChunkedArray, kind: type[Any]) -> npt.NDArray[Any]:
    return np.asarray(values.to_numpy(), dtype=kind)


def _matrix(said: pa.Array) -> FloatArray:
    if not pa.types.is_fixed_size_list(said.type):
        return np.asarray(said.to_numpy(zero_copy_only=False), dtype=np.float64)
    flat = np.asarray(said.flatten().to_numpy(zero_copy_only=False), dtype=np.float64)
    return flat.reshape(len(said), said.type.list_size)


def _check(rows: JudgedRows) -> None:
    count = len(rows.keys)
    if not count or rows.actual.shape != (count,) or len(rows.said) != count or rows.said.ndim > 2:
        raise BadVersionError(
            "judged rows have a key, an actual and a said for each row, at least one; got "
            f"{count} keys, {rows.actual.shape} actual and {rows.said.shape} said"
        )
    if rows.keys.dtype != np.uint64 or len(np.unique(rows.keys)) != count:
        raise BadVersionError("keys of judged rows must be uint64, no two the same")
    if not (np.isfinite(rows.actual).all() and np.isfinite(rows.said).all()):
        raise BadVersionError("actual and said of judged rows must be finite")
    if rows.said.ndim == 2 and not _codes(rows.actual, rows.said.shape[1]):
        raise BadVersionError(f"actual of judged rows must be class codes from 0 to {rows.said.shape[1] - 1}")


def _codes(actual: FloatArray, classes: int) -> bool:
    return bool(((actual >= 0) & (actual < classes) & (actual == np.floor(actual))).all())
