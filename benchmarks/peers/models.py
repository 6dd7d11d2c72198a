"""Train the models of the benchmark with the scikit-learn of whoever runs this: models.py FOLDER."""

import sys
import warnings
from pathlib import Path

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("ignore")


def main(folder: Path) -> None:
    """Write each model as joblib, and as ONNX and MLflow's form where the packages are there."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, target = load_breast_cancer(return_X_y=True)
    models = {
        "lr": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "rf": RandomForestClassifier(n_estimators=100, random_state=0),
    }
    for name, model in models.items():
        model.fit(rows, target)
        joblib.dump(model, folder / f"{name}.joblib")
        write_onnx(model, folder / f"{name}.onnx", rows.shape[1])
        write_mlflow(model, folder / f"mlflow-{name}")


def write_onnx(model: object, path: Path, columns: int) -> None:
    """Convert a model, where skl2onnx is installed."""
    try:
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType
    except ImportError:
        return
    graph = to_onnx(
        model, initial_types=[("x", FloatTensorType([None, columns]))], options={id(model): {"zipmap": False}}
    )
    path.write_bytes(graph.SerializeToString())


def write_mlflow(model: object, path: Path) -> None:
    """Save a model for `mlflow models serve`, where MLflow is installed."""
    try:
        import mlflow.sklearn
    except ImportError:
        return
    mlflow.sklearn.save_model(model, path, pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
