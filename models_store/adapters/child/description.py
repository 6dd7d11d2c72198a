"""What an opened model is and takes."""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier, is_regressor

from models_store.adapters.child.asking import answers, frame_of
from models_store.adapters.child.conversion import convert
from models_store.adapters.child.errand import UnusableError
from models_store.core.sample import sample_rows


def described(model: Any, request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Say what the model is, ask it, and convert it to ONNX if its answers stay the same."""
    if not isinstance(model, BaseEstimator) or not (is_classifier(model) or is_regressor(model)):
        raise UnusableError(
            f"a scikit-learn classifier or regressor is needed, the file holds a {type(model).__name__}"
        )
    task = "classification" if is_classifier(model) else "regression"
    columns = request["columns"] or _own_columns(model)
    _check_columns(model, columns)
    frame = frame_of(columns, sample_rows(columns, rows=request["parity_rows"]))
    finite = answers(model, frame)
    reason = convert(model, columns, frame, task, folder, request["parity_tolerance"])
    return {
        "estimator": type(model).__name__,
        "task": task,
        "columns": columns,
        "classes": _classes(model) if task == "classification" else [],
        "finite": finite,
        "engine_reason": reason,
    }


def _own_columns(model: Any) -> list[dict[str, Any]]:
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        count = getattr(model, "n_features_in_", None)
        if count is None:
            raise UnusableError("the model does not say which features it takes: give --schema or --n-features")
        names = [f"f{index}" for index in range(int(count))]
    return [{"name": str(name), "dtype": "number"} for name in names]


def _check_columns(model: Any, columns: list[dict[str, Any]]) -> None:
    names = [column["name"] for column in columns]
    own = getattr(model, "feature_names_in_", None)
    if own is not None and [str(name) for name in own] != names:
        raise UnusableError(
            f"the model was fitted on {', '.join(map(str, own))}, in this order; got {', '.join(names)}"
        )
    count = getattr(model, "n_features_in_", len(names))
    if count != len(names):
        raise UnusableError(f"the model takes {count} features, got {len(names)}")


def _classes(model: Any) -> list[Any]:
    classes = getattr(model, "classes_", None)
    if classes is None:
        raise UnusableError("the classifier does not say which classes it knows")
    return list(np.asarray(classes).tolist())
