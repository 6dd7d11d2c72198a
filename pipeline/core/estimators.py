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
from sklearn.pipeline import Pipeline

from features.ground.errors import bounded
from pipeline.core.preprocessing import Features, OneHot, preprocessor
from pipeline.core.training_errors import InvalidParamError, TaskMismatchError, TooManyRowsError, UnknownEstimatorError

Task = Literal["classification", "regression"]
NARROW_WEIGHTS = 500
DEFAULT = "hist_gradient_boosting"
# What a fit is given from elsewhere, or must not have.
MANAGED = frozenset({"random_state", "n_jobs", "verbose", "warm_start", "oob_score", "categorical_features"})


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

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Return the tasks it does."""
        return tuple(self.make)


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
    ),
    Estimator(name="ridge", make={"regression": Ridge}, defaults={}, scales=True, one_hot="sparse"),
    Estimator(
        name="random_forest",
        make={"classification": RandomForestClassifier, "regression": RandomForestRegressor},
        defaults=_FOREST,
        row_samples=20_000,
    ),
    Estimator(
        name="extra_trees",
        make={"classification": ExtraTreesClassifier, "regression": ExtraTreesRegressor},
        defaults=_FOREST,
        row_samples=20_000,
    ),
    Estimator(
        name="hist_gradient_boosting",
        make={"classification": HistGradientBoostingClassifier, "regression": HistGradientBoostingRegressor},
        defaults=_BOOSTING,
        imputes=False,
    ),
    Estimator(
        name="k_neighbors",
        make={"classification": KNeighborsClassifier, "regression": KNeighborsRegressor},
        defaults={"n_neighbors": 15},
        scales=True,
        one_hot="dense",
        max_rows=20_000,
    ),
    Estimator(
        name="dummy", make={"classification": DummyClassifier, "regression": DummyRegressor}, defaults={}, imputes=False
    ),
)
ESTIMATORS: dict[str, Estimator] = {entry.name: entry for entry in _ALL}
LINEAR: dict[Task, str] = {"classification": "logistic_regression", "regression": "ridge"}


def estimator_named(name: str) -> Estimator:
    """Return the registered estimator of this name.

    Parameters
    ----------
    name : str
        What the caller asked for; empty for the default.

    Returns
    -------
    Estimator
        The entry.

    Raises
    ------
    UnknownEstimatorError
        If there is none.
    """
    entry = ESTIMATORS.get(name or DEFAULT)
    if entry is None:
        allowed = ", ".join(ESTIMATORS)
        raise UnknownEstimatorError(
            f"unknown estimator {bounded(name)}; allowed: {allowed}", estimator=name, allowed=list(ESTIMATORS)
        )
    return entry


def build(
    entry: Estimator,
    task: Task,
    features: Features,
    *,
    params: Mapping[str, Any],
    seed: int,
    rows: int,
    weights: int,
) -> Pipeline:
    """Return the unfitted pipeline: preprocessing, then the model.

    Parameters
    ----------
    entry : Estimator
        The registered estimator.
    task : {"classification", "regression"}
        What it is to do.
    features : Features
        The columns it takes.
    params : mapping
        What the caller set of the estimator's parameters.
    seed : int
        Of the estimator.
    rows, weights : int
        Training rows to come, and how many weights a linear model of them would have.

    Returns
    -------
    Pipeline
        With the steps `prepare` and `model`.

    Raises
    ------
    TaskMismatchError, TooManyRowsError, InvalidParamError
        If the estimator does not do the task, is not made for so many rows, or has no such parameter.
    """
    _check_fit(entry, task, rows)
    model = entry.make[task]()
    narrow = entry.narrow_defaults if weights <= NARROW_WEIGHTS else {}
    chosen = {**entry.defaults, **narrow, **_checked(entry, model, params)}
    known = model.get_params()
    if entry.row_samples is not None and rows > entry.row_samples and chosen.get("bootstrap"):
        chosen.setdefault("max_samples", entry.row_samples)
    managed = {"random_state": seed, "n_jobs": -1 if entry.row_samples else None}
    chosen |= {name: value for name, value in managed.items() if name in known and value is not None}
    model.set_params(**chosen)
    prepare = preprocessor(features, scales=entry.scales, imputes=entry.imputes, one_hot=entry.one_hot)
    return Pipeline([("prepare", prepare), ("model", model)])


def _check_fit(entry: Estimator, task: Task, rows: int) -> None:
    if task not in entry.make:
        raise TaskMismatchError(
            f"{entry.name} does {' and '.join(entry.tasks)}, and the target needs {task}; "
            f"for that use {', '.join(other.name for other in _ALL if task in other.make)}",
            estimator=entry.name,
            task=task,
        )
    if entry.max_rows is not None and rows > entry.max_rows:
        raise TooManyRowsError(
            f"{entry.name} keeps all its rows and takes at most {entry.max_rows}, got {rows}", rows=rows
        )


def _checked(entry: Estimator, model: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    allowed = sorted(set(model.get_params()) - MANAGED)
    for name in params:
        if name not in allowed:
            raise InvalidParamError(
                f"{entry.name} has no parameter {bounded(name)} to set; allowed: {', '.join(allowed)}",
                param=name,
                allowed=allowed,
            )
    return dict(params)
