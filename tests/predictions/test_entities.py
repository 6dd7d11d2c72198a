"""Asked by entity, a model gets the newest features its own views hold."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from django.test import Client
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from features.actions.apply_feature_view import apply_feature_view
from features.actions.ingest import ingest
from features.actions.materialize import materialize
from features.actions.take_snapshot import take_snapshot
from features.core.schema import ColumnRoles
from features.errors import NotMaterializedError
from models_store.actions.register_version import NewVersion, register_version
from models_store.core.policy import imported_policy
from predictions import engine
from predictions.actions.log_predictions import flush_log
from predictions.actions.predict import PredictAnswer, PredictRequest, predict
from predictions.core.entities import ServedView, check_served
from predictions.errors import EntitiesNotServedError, TooManyRowsError
from predictions.models import Prediction
from tests.predictions.conftest import Configure
from tests.predictions.tiny import SCHEMA

ROWS = """at,carrier,delay
2013-01-01T10:00:00Z,UA,20
2013-01-01T11:00:00Z,UA,40
2013-01-02T10:00:00Z,AA,5
2013-01-03T10:00:00Z,UA,60
"""
VIEW = {
    "name": "carrier-delays",
    "dataset": "flights",
    "entity": "carrier",
    "features": [{"name": "mean_delay", "column": "delay", "function": "mean", "window": "30d"}],
}
TYPES = [{"name": "mean_delay", "dtype": "number", "nullable": True}]


def doubling() -> bytes:
    """Return a pipeline that doubles the mean delay, and takes 10 for a missing one."""
    frame = pd.DataFrame({"mean_delay": [5.0, 10.0, 15.0]})
    pipe = make_pipeline(SimpleImputer(), LinearRegression()).fit(frame, np.array([10.0, 20.0, 30.0]))
    blob = io.BytesIO()
    joblib.dump(pipe, blob)
    return blob.getvalue()


@pytest.fixture
def carriers(serving: None, tmp_path: Path) -> Iterator[None]:
    """Train a model on a view."""
    path = tmp_path / "flights.csv"
    path.write_text(ROWS)
    ingest("flights", [path], actor="test", roles=ColumnRoles(timestamp="at", target="delay"))
    apply_feature_view(VIEW, actor="test")
    known = {"accept": ["target_without_known_at:carrier-delays"], "reason": "known at once in this test"}
    snapshot = take_snapshot("s", dataset="flights", views=["carrier-delays"], **known, actor="test")
    register_version(
        NewVersion(
            model="delays",
            task="regression",
            primary_metric="rmse",
            files={"model.joblib": doubling()},
            estimator="linear",
            engine="sklearn",
            input_schema=TYPES,
            output_schema={"task": "regression"},
            snapshot_id=snapshot.pk,
            actor="test",
            policy=imported_policy(),
        )
    )
    return


def ask(*keys: str, **options: Any) -> PredictAnswer:
    return predict(
        PredictRequest(principal="cli:t", request_id="r", model="delays", version=1, entities=keys or ["UA"], **options)
    )


def test_newest_features_are_looked_up_and_logged(carriers: None) -> None:
    materialize("carrier-delays", actor="test")
    answer = ask("UA", "AA", "nobody")
    assert np.allclose(answer.predictions, [80.0, 10.0, 20.0])
    flush_log()
    row = Prediction.objects.get()
    assert row.entity_keys == ["UA", "AA", "nobody"]
    assert row.inputs == [[40.0], [5.0], [None]]


def test_entities_come_through_the_api_too(carriers: None, token: Callable[..., str]) -> None:
    materialize("carrier-delays", actor="test")
    response = Client().post(
        "/api/v1/models/delays/versions/1/predict",
        b'{"entities": ["AA"]}',
        content_type="application/json",
        headers={"Authorization": f"Bearer {token()}"},
    )
    assert np.allclose(response.json()["predictions"], [10.0])


def test_a_view_without_online_values_is_refused(carriers: None) -> None:
    with pytest.raises(NotMaterializedError, match="has no online values yet"):
        ask()


def test_too_many_entities_are_refused(carriers: None, configure: Configure) -> None:
    configure(security__max_rows=1)
    engine.stop()
    with pytest.raises(TooManyRowsError):
        ask("UA", "AA")


@pytest.mark.parametrize(
    ("views", "text"),
    [
        ([], "was trained on no feature view"),
        ([("a@1", ("carrier",), ("length",)), ("b@1", ("origin",), ("colour",))], "looks up several entities"),
        ([("a@1", ("carrier",), ("length",))], "needs colour, which no feature view gives"),
    ],
)
def test_a_model_one_key_can_not_serve_says_why(views: list[Any], text: str) -> None:
    served = [ServedView(spec=spec, entity=entity, features=features) for spec, entity, features in views]
    with pytest.raises(EntitiesNotServedError, match=text):
        check_served("tiny@1", SCHEMA, served)
