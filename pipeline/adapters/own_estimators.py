"""The estimators a project registers by a setting."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from django.conf import settings
from sklearn.base import is_classifier, is_regressor

from features.ground.errors import bounded
from pipeline.core.estimators import Estimator, Task
from pipeline.core.training_errors import BadEstimatorSettingError
from pipeline.core.training_plan import ALIASES, ESTIMATORS

NEEDED = ("fit", "predict", "get_params", "set_params")


def own_estimators() -> Mapping[str, Estimator]:
    """Return what `training.estimators` names, each made once to see that it is an estimator.

    Raises
    ------
    BadEstimatorSettingError
        If one is not.
    """
    pairs = (pair.partition("=") for pair in settings.CONFIG.training.estimators)
    return {name: _entry(name, path) for name, _, path in pairs}


def _entry(name: str, path: str) -> Estimator:
    if name in ESTIMATORS or name in ALIASES:
        raise _refused(name, path, "the name is taken by a built-in estimator")
    factory = _factory(name, path)
    try:
        made = factory()
    except Exception as error:  # what somebody else's code raises has no bound
        raise _refused(name, path, f"calling it raised {type(error).__name__}: {error}") from error
    if missing := [method for method in NEEDED if not callable(getattr(made, method, None))]:
        raise _refused(name, path, f"it gives a {type(made).__name__} without {', '.join(missing)}")
    # Scaled numbers and a column per level: what any estimator can take.
    return Estimator(name=name, make={_task(name, path, made): factory}, defaults={}, scales=True, one_hot="dense")


def _factory(name: str, path: str) -> Callable[[], Any]:
    module, _, attribute = path.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:  # an import runs somebody else's code
        raise _refused(name, path, f"importing it raised {type(error).__name__}: {error}") from error
    if not callable(found):
        raise _refused(name, path, f"it is a {type(found).__name__}, and must be callable without arguments")
    made: Callable[[], Any] = found
    return made


def _task(name: str, path: str, made: Any) -> Task:
    if is_regressor(made):
        return "regression"
    if not is_classifier(made):
        raise _refused(name, path, f"{type(made).__name__} is neither a classifier nor a regressor to scikit-learn")
    if not hasattr(made, "predict_proba"):
        raise _refused(name, path, f"{type(made).__name__} has no predict_proba; wrap it in CalibratedClassifierCV")
    return "classification"


def _refused(name: str, path: str, reason: str) -> BadEstimatorSettingError:
    return BadEstimatorSettingError(
        f"training.estimators: {name} must be package.module:factory of a scikit-learn estimator, got {bounded(path)}: "
        f"{bounded(reason, 250)}",
        estimator=name,
    )
