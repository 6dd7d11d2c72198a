"""The child process: opens one model file, says what it is, and converts it to ONNX.

Started by `sandbox`, with a folder that holds `request.json` and `model.bin`; leaves `answer.json` there, and the
files it made. It knows no settings, no database and no secret.
"""

import io
import json
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import skops.io
from sklearn.base import is_classifier, is_regressor

from models_store.adapters import guard
from models_store.adapters.conversion import convert
from models_store.core.allowed import SKOPS_TRUSTED
from models_store.core.sample import sample_rows


class UnusableError(Exception):
    """The file opened, and is not a model that can be served."""


def main(folder: Path) -> None:
    """Do what the request asks and write the answer."""
    request = json.loads((folder / "request.json").read_text())
    _limit(request["limits"])
    blob = (folder / "model.bin").read_bytes()
    try:
        guard.close(folder, own_code=request["operation"] == "smoke", any_name=request.get("format") != "pickle")
        answer = {"smoke": _smoke, "import": _import}[request["operation"]](request, blob, folder)
    except guard.RefusedError as error:
        answer = {"refused": str(error)}
    except UnusableError as error:
        answer = {"unusable": str(error)}
    (folder / "answer.json").write_text(json.dumps(answer))


def _limit(limits: dict[str, int]) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_s"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def _smoke(request: dict[str, Any], blob: bytes, folder: Path) -> dict[str, Any]:
    model = _unpickled(blob)
    return {"finite": _answers(model, _frame(request["columns"], request["rows"]))}


def _import(request: dict[str, Any], blob: bytes, folder: Path) -> dict[str, Any]:
    model = _skops(blob) if request["format"] == "skops" else _unpickled(blob)
    guard.opened()
    if not (is_classifier(model) or is_regressor(model)) or not hasattr(model, "predict"):
        raise UnusableError(
            f"the file holds a {type(model).__name__}: a scikit-learn classifier or regressor is needed"
        )
    task = "classification" if is_classifier(model) else "regression"
    columns = request["columns"] or _own_columns(model)
    _check_columns(model, columns)
    frame = _frame(columns, sample_rows(columns, rows=request["parity_rows"]))
    finite = _answers(model, frame)
    reason = convert(model, columns, frame, task, folder, request["parity_tolerance"])
    if request["format"] == "skops":
        joblib.dump(model, folder / "model.joblib", compress=3)
    return {
        "estimator": type(model).__name__,
        "task": task,
        "columns": columns,
        "classes": _classes(model) if task == "classification" else [],
        "finite": finite,
        "engine_reason": reason,
    }


def _unpickled(blob: bytes) -> Any:
    try:
        return joblib.load(io.BytesIO(blob))
    except guard.RefusedError:
        raise
    except Exception as error:
        raise UnusableError(f"the file does not open as a pickle: {type(error).__name__}: {error}") from error


def _skops(blob: bytes) -> Any:
    try:
        extra = set(skops.io.get_untrusted_types(data=blob)) - SKOPS_TRUSTED
        if extra:
            raise guard.RefusedError(f"the file holds types outside the allow list: {', '.join(sorted(extra))}")
        return skops.io.loads(blob, trusted=sorted(SKOPS_TRUSTED))
    except guard.RefusedError:
        raise
    except Exception as error:
        raise UnusableError(f"the file does not open as skops: {type(error).__name__}: {error}") from error


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


def _frame(columns: list[dict[str, Any]], rows: list[list[Any]]) -> pd.DataFrame:
    values = list(zip(*rows, strict=True))
    return pd.DataFrame(
        {
            column["name"]: pd.array(list(cells), dtype="str")
            if column["dtype"] == "string"
            else np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
            for column, cells in zip(columns, values, strict=True)
        }
    )


def _answers(model: Any, frame: pd.DataFrame) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a model fitted on a bare matrix warns about names
            given = [np.asarray(model.predict(frame))]
            if hasattr(model, "predict_proba"):
                given.append(np.asarray(model.predict_proba(frame)))
    except Exception as error:
        raise UnusableError(f"the model refused rows that fit its schema: {type(error).__name__}: {error}") from error
    return all(np.isfinite(part).all() for part in given if part.dtype.kind == "f")


def _classes(model: Any) -> list[Any]:
    classes = getattr(model, "classes_", None)
    if classes is None:
        raise UnusableError("the classifier does not say which classes it knows")
    return list(np.asarray(classes).tolist())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
