"""Whether two trainings of the same gave the same."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.metrics import FloatArray
from pipeline.core.training_errors import NotReproducibleError


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """What of a training must come out the same again.

    Attributes
    ----------
    files : mapping of str to str
        sha256 of each of the model's files.
    said : ndarray
        What it answered for the test rows.
    metrics, params : mapping
        As the version keeps them.
    """

    files: Mapping[str, str]
    said: FloatArray
    metrics: Mapping[str, Any]
    params: Mapping[str, Any]


def file_digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the digest of each file.

    Parameters
    ----------
    files : mapping of str to bytes
        By name.

    Returns
    -------
    dict of str to str
        sha256 in hexadecimal, by name.
    """
    return {name: hashlib.sha256(blob).hexdigest() for name, blob in sorted(files.items())}


def refuse_differences(first: Compared, second: Compared) -> None:
    """Refuse a training that did not come out the same again.

    Parameters
    ----------
    first, second : Compared
        Two trainings of the same snapshot, parameters, seed and code.

    Raises
    ------
    NotReproducibleError
        If predictions, files, metrics or parameters differ; it names which.
    """
    different = [
        name for name in sorted({*first.files, *second.files}) if first.files.get(name) != second.files.get(name)
    ]
    if first.said.shape != second.said.shape:
        different.append("predictions (of other rows)")
    elif not np.array_equal(first.said, second.said):
        different.append(f"predictions (by up to {np.abs(first.said - second.said).max():.3g})")
    for part, one, other in (("metrics", first.metrics, second.metrics), ("params", first.params, second.params)):
        different += [f"{part}.{name}" for name in one if one[name] != other.get(name)]
    if different:
        raise NotReproducibleError(
            f"training again gave something else: {', '.join(different)}; nothing is registered", differs=different
        )
