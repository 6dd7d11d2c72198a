"""What a caller asks of a training, checked before any work is done."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from features.ground.errors import bounded
from pipeline.core.estimators import Estimator, estimator_named
from pipeline.core.training_errors import InvalidParamError, InvalidTrainingRequestError

SPLITS = ("time", "random")
MAX_SEED = 2**32 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingPlan:
    """How to train.

    Attributes
    ----------
    target : str
        Column to predict; empty for the snapshot's own target.
    estimator : str
        Name in the registry; empty for the default.
    params : mapping
        Parameters of the estimator.
    split : str
        time, random, or empty: by time where the snapshot has a timestamp.
    test_size : float
        Share of the rows to test on.
    seed : int
        Of the split and of the estimator.
    slices : sequence of str
        Columns to report metrics by.
    task : str
        What the model is known to do; empty for a new one.
    """

    target: str = ""
    estimator: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    split: str = ""
    test_size: float = 0.2
    seed: int = 0
    slices: Sequence[str] = ()
    task: str = ""

    def checked(self) -> Estimator:
        """Return the estimator, if every option has a value it can have.

        Returns
        -------
        Estimator
            The registered entry.

        Raises
        ------
        InvalidTrainingRequestError
            If split, test size or seed can't be as given.
        UnknownEstimatorError
            If there is no such estimator.
        """
        if self.split not in ("", *SPLITS):
            raise InvalidTrainingRequestError(
                f"the split must be time or random, got {bounded(self.split)}", split=bounded(self.split)
            )
        if not isinstance(self.test_size, int | float) or not 0 < self.test_size < 1:
            raise InvalidTrainingRequestError(f"the test size must be between 0 and 1, got {bounded(self.test_size)}")
        if not isinstance(self.seed, int) or not 0 <= self.seed <= MAX_SEED:
            raise InvalidTrainingRequestError(f"the seed must be from 0 to {MAX_SEED}, got {bounded(self.seed)}")
        return estimator_named(self.estimator)


def parse_params(pairs: Sequence[str]) -> dict[str, Any]:
    """Read `name=value` pairs; a value is JSON where it can be, else text.

    Parameters
    ----------
    pairs : sequence of str
        As given on the command line.

    Returns
    -------
    dict
        Values by name.

    Raises
    ------
    InvalidParamError
        If a pair has no `=`, no name, or comes twice.
    """
    params: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise InvalidParamError(f"a parameter is written name=value, got {bounded(pair)}")
        if name in params:
            raise InvalidParamError(f"the parameter {bounded(name)} is given twice", param=bounded(name))
        params[name] = _value(text)
    return params


def _value(text: str) -> Any:
    try:
        # Without this, NaN and Infinity would be read as numbers that JSON can't keep.
        return json.loads(text, parse_constant=lambda constant: constant)
    except ValueError:
        return text
