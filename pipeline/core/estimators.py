"""The estimators a model can be trained with, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import LinearSVC

from pipeline.core.preprocessing import OneHot
from pipeline.core.training_plan import known_estimator

Task = Literal["classification", "regression"]
Calibration = Literal["sigmoid", "isotonic"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A parameter that is one of some values."""

    values: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """A parameter between two numbers, both allowed; `log` spreads it evenly over its magnitude."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimator:
    """One entry of the registry.

    Attributes
    ----------
    name : str
        What a person writes.
    make : dict of Task to callable
        The scikit-learn class for each task it does.
    defaults : dict
        Parameters that differ from scikit-learn's own.
    narrow_defaults : dict
        The same, while a linear model would have at most 500 weights.
    scales, imputes, one_hot
        What its columns go through first; see `preprocessor`.
    row_samples : int or None
        With more rows than this, each tree of a forest learns from a sample of this size.
    max_rows : int or None
        More training rows than this are refused.
    search : dict of str to Choice or Range
        Where to look for good parameters.
    calibration : str
        How its scores become probabilities, where it gives none of its own.
    """

    name: str
    make: Mapping[Task, Callable[..., Any]]
    defaults: Mapping[str, Any]
    narrow_defaults: Mapping[str, Any] = field(default_factory=dict)
    scales: bool = False
    imputes: bool = True
    one_hot: OneHot | None = None
    row_samples: int | None = None
    max_rows: int | None = None
    calibration: Calibration | None = None
    search: Mapping[str, Choice | Range] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Return the tasks it does."""
        return tuple(self.make)


_STRENGTH = Range(low=1e-3, high=1e2, log=True)
_TREES: dict[str, Choice | Range] = {
    "min_samples_leaf": Choice(values=(1, 2, 5, 10, 20, 50)),
    "max_features": Choice(values=("sqrt", 0.3, 0.5, 0.8, 1.0)),
}
_BOOSTED: dict[str, Choice | Range] = {
    "learning_rate": Range(low=0.02, high=0.3, log=True),
    "max_iter": Choice(values=(50, 100, 200)),
    "max_leaf_nodes": Choice(values=(7, 15, 31, 63)),
    "min_samples_leaf": Choice(values=(5, 10, 20, 50, 100)),
    "l2_regularization": Range(low=1e-3, high=10, log=True),
}
_FOREST = {"n_estimators": 100, "min_samples_leaf": 5, "bootstrap": True}
_BOOSTING = {"max_iter": 100, "early_stopping": False}
_ALL = (
    Estimator(
        name="logistic_regression",
        make={"classification": LogisticRegression},
        defaults={"max_iter": 300},
        # Converges in a few exact steps; its cost grows with the square of the weights.
        narrow_defaults={"solver": "newton-cholesky"},
        scales=True,
        one_hot="sparse",
        search={"C": _STRENGTH},
    ),
    Estimator(
        name="linear_svm",
        make={"classification": LinearSVC},
        defaults={"dual": "auto"},
        scales=True,
        one_hot="sparse",
        calibration="sigmoid",
        search={"C": _STRENGTH},
    ),
    Estimator(
        name="ridge",
        make={"regression": Ridge},
        defaults={},
        scales=True,
        one_hot="sparse",
        search={"alpha": Range(low=1e-3, high=1e3, log=True)},
    ),
    Estimator(
        name="random_forest",
        make={"classification": RandomForestClassifier, "regression": RandomForestRegressor},
        defaults=_FOREST,
        row_samples=20_000,
        search=_TREES,
    ),
    Estimator(
        name="extra_trees",
        make={"classification": ExtraTreesClassifier, "regression": ExtraTreesRegressor},
        defaults=_FOREST,
        row_samples=20_000,
        search=_TREES,
    ),
    Estimator(
        name="hist_gradient_boosting",
        make={"classification": HistGradientBoostingClassifier, "regression": HistGradientBoostingRegressor},
        defaults=_BOOSTING,
        imputes=False,
        search=_BOOSTED,
    ),
    Estimator(
        name="k_neighbors",
        make={"classification": KNeighborsClassifier, "regression": KNeighborsRegressor},
        defaults={"n_neighbors": 15},
        scales=True,
        one_hot="dense",
        max_rows=20_000,
        search={"n_neighbors": Range(low=3, high=60, whole=True), "weights": Choice(values=("uniform", "distance"))},
    ),
    Estimator(
        name="dummy", make={"classification": DummyClassifier, "regression": DummyRegressor}, defaults={}, imputes=False
    ),
)
ESTIMATORS: dict[str, Estimator] = {entry.name: entry for entry in _ALL}
LINEAR: dict[Task, str] = {"classification": "logistic_regression", "regression": "ridge"}


def estimator_named(name: str, own: Mapping[str, Estimator] | None = None) -> Estimator:
    """Return the registered estimator of this name.

    Parameters
    ----------
    name : str
        What the caller asked for, `-` and `_` alike; empty for the default.
    own : mapping of str to Estimator, optional
        What the project registers beside the built-in ones.

    Returns
    -------
    Estimator
        The entry.

    Raises
    ------
    UnknownEstimatorError
        If there is none.
    """
    known = ESTIMATORS | dict(own or {})
    return known[known_estimator(name, known)]
