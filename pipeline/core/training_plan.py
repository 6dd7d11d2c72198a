"""What a caller asks of a training, checked before any work is done."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from features.ground.errors import bounded
from pipeline.core.thresholds import Goal, parse_goal
from pipeline.core.training_errors import InvalidParamError, InvalidTrainingRequestError, UnknownEstimatorError

DEFAULT_ESTIMATOR = "hist_gradient_boosting"
SPLITS = ("time", "random", "group")
ESTIMATORS = (
    "logistic_regression", "linear_svm", "ridge", "random_forest", "extra_trees", "hist_gradient_boosting",
    "k_neighbors", "dummy",
)  # fmt: skip
# Other names people know an estimator by.
ALIASES = {"knn": "k_neighbors", "k_nn": "k_neighbors", "k_nearest_neighbors": "k_neighbors"}
CALIBRATIONS = ("sigmoid", "isotonic")
SEARCHES = ("halving",)
BALANCED = "balanced"
MAX_SEED = 2**32 - 1
MAX_FOLDS = 20
MAX_TRIALS = 500
MAX_WEIGHT = 1e6
MAX_LABELS = 200


def known_estimator(name: str, names: Collection[str]) -> str:
    """Return the name an estimator is registered under.

    Parameters
    ----------
    name : str
        What the caller asked for, `-` and `_` alike; empty for the default.
    names : collection of str
        Those there are.

    Returns
    -------
    str
        One of the names.

    Raises
    ------
    UnknownEstimatorError
        If there is none such.
    """
    plain = name.lower().replace("-", "_")
    for found in (name or DEFAULT_ESTIMATOR, ALIASES.get(plain, plain)):
        if found in names:
            return found
    allowed = ", ".join(names)
    raise UnknownEstimatorError(
        f"unknown estimator {bounded(name)}; allowed: {allowed}", estimator=bounded(name), allowed=list(names)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingOptions:
    """How somebody asks for a training to go.

    Attributes
    ----------
    target : str
        Column to predict; empty for the snapshot's own target.
    estimator : str
        Name in the registry, or of the project's own; empty for the default.
    params : mapping
        Parameters of the estimator.
    split : str
        time, random, group, or empty: by time where the snapshot has a timestamp.
    group : str
        Column whose values a group split keeps together; empty for the only column of role entity.
    test_size : float
        Share of the rows to test on, and of the training rows to validate on.
    seed : int
        Of everything that is drawn.
    cv : int
        Folds of a cross-validation on the training part; 0 for none.
    slices : sequence of str
        Columns to report metrics by.
    class_weight : "balanced" or mapping of str to float
        How much a row of each class counts; empty for one and all alike.
    calibrate : str
        sigmoid or isotonic: bring the probabilities in line with the validation rows.
    threshold_goal : str
        What the decision threshold is chosen for on the validation rows; see `parse_goal`.
    tune : int
        Settings of the estimator to try; 0 for none.
    importance : bool
        Whether to measure permutation importance on validation rows.
    """

    target: str = ""
    estimator: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    split: str = ""
    group: str = ""
    test_size: float = 0.2
    seed: int = 0
    cv: int = 0
    slices: Sequence[str] = ()
    class_weight: str | Mapping[str, float] = ""
    calibrate: str = ""
    threshold_goal: str = ""
    tune: int = 0
    importance: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingPlan(TrainingOptions):
    """How to train.

    Attributes
    ----------
    task : str
        What the model is known to do; empty for a new one.
    """

    task: str = ""

    def check(self) -> None:
        """Refuse an option that has a value it can't have.

        Raises
        ------
        InvalidTrainingRequestError
            If there is one.
        """
        _one_of("split", self.split, SPLITS)
        _one_of("calibrate", self.calibrate, CALIBRATIONS)
        _whole("seed", self.seed, 0, MAX_SEED)
        _folds_or_none("cv", self.cv, 2, MAX_FOLDS)
        _folds_or_none("tune", self.tune, 2, MAX_TRIALS)
        _check_weights(self.class_weight)
        if self.threshold_goal:
            parse_goal(self.threshold_goal)
        if self.group and self.split != "group":
            raise _refused("group", "is for --split group", self.group)
        if not isinstance(self.test_size, int | float) or not 0 < self.test_size < 1:
            raise InvalidTrainingRequestError(
                f"the test size must be between 0 and 1, got {bounded(self.test_size)}", field="test_size"
            )

    @property
    def goal(self) -> Goal | None:
        """Return what the threshold is chosen for, or None."""
        return parse_goal(self.threshold_goal) if self.threshold_goal else None


def _one_of(name: str, value: Any, allowed: Sequence[str]) -> None:
    if value not in ("", *allowed):
        raise _refused(name, f"must be {', '.join(allowed[:-1])} or {allowed[-1]}", value)


def _whole(name: str, value: Any, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _refused(name, f"must be from {least} to {most}", value)


def _folds_or_none(name: str, value: Any, least: int, most: int) -> None:
    if value != 0 or isinstance(value, bool):
        _whole(name, value, least, most)


def _check_weights(weights: Any) -> None:
    if weights in ("", BALANCED):
        return
    allowed = f"must be {BALANCED} or a weight over 0, at most {MAX_WEIGHT:g}, for each label"
    if not isinstance(weights, Mapping) or not 0 < len(weights) <= MAX_LABELS:
        raise _refused("class_weight", allowed, weights)
    for label, weight in weights.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool) and isfinite(weight)
        if not number or not 0 < weight <= MAX_WEIGHT:
            raise _refused("class_weight", allowed, f"{label}={weight}")


def _refused(name: str, allowed: str, got: Any) -> InvalidTrainingRequestError:
    return InvalidTrainingRequestError(f"{name} {allowed}, got {bounded(got)}", field=name, got=bounded(got))


def parse_class_weight(words: Sequence[str]) -> str | dict[str, float]:
    """Read class weights as given on the command line.

    Parameters
    ----------
    words : sequence of str
        `balanced` alone, or LABEL=WEIGHT, one for each label that is not to count 1.

    Returns
    -------
    str or dict of str to float
        As `TrainingPlan` takes it.

    Raises
    ------
    InvalidTrainingRequestError
        If they are neither.
    """
    if not words or list(words) == [BALANCED]:
        return BALANCED if words else ""
    weights: dict[str, float] = {}
    for word in words:
        label, equals, text = word.rpartition("=")
        try:
            weight = float(text)
        except ValueError:
            equals = ""
        if not equals or label in weights:
            raise _refused("class_weight", f"must be {BALANCED} alone, or LABEL=WEIGHT once for a label", word)
        weights[label] = weight
    _check_weights(weights)
    return weights


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
