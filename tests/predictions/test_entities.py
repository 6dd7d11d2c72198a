"""Asked by entity, a model gets the newest features its own views hold."""

import io
import json
from collections.abc import Callable
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
from features.core.schema import Column, ColumnRoles
from features.errors import BadEntityError, NotMaterializedError
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

ROWS = """at,carrier,gate,delay
2013-01-01T10:00:00Z,UA,1,20
2013-01-01T11:00:00Z,UA,2,40
2013-01-02T10:00:00Z,AA,1,5
2013-01-03T10:00:00Z,UA,1,60
"""
VIEW = {
    "name": "carrier-delays",
    "dataset": "flights",
    "entity": "carrier",
    "features": [{"name": "mean_delay", "column": "delay", "function": "mean", "window": "30d"}],
}


GATES = VIEW | {"name": "gate-delays", "entity": ["carrier", "gate"]}
GATES["features"] = [{"name": "gate_delay", "column": "delay", "function": "mean", "window": "30d"}]


def summing(*names: str) -> bytes:
    """Return a pipeline that doubles the sum of its columns, and takes 10 for a missing one."""
    grid = np.array(
        [[5.0 + 5 * (row // 3**place % 3) for place in range(len(names))] for row in range(3 ** len(names))]
    )
    frame = pd.DataFrame(grid, columns=list(names))
    pipe = make_pipeline(SimpleImputer(), LinearRegression()).fit(frame, 2 * grid.sum(axis=1))
    blob = io.BytesIO()
    joblib.dump(pipe, blob)
    return blob.getvalue()


def train_on(*views: dict[str, Any]) -> None:
    for view in views:
        apply_feature_view(view, actor="test")
    names = [view["name"] for view in views]
    known = {"accept": [f"target_without_known_at:{name}" for name in names], "reason": "known at once in this test"}
    snapshot = take_snapshot("s", dataset="flights", views=names, **known, actor="test")
    columns = [feature["name"] for view in views for feature in view["features"]]
    register_version(
        NewVersion(
            model="delays",
            task="regression",
            primary_metric="rmse",
            files={"model.joblib": summing(*columns)},
            estimator="linear",
            engine="sklearn",
            input_schema=[{"name": name, "dtype": "number", "nullable": True} for name in columns],
            output_schema={"task": "regression"},
            snapshot_id=snapshot.pk,
            actor="test",
            policy=imported_policy(),
        )
    )


@pytest.fixture
def flights(serving: None, tmp_path: Path) -> None:
    path = tmp_path / "flights.csv"
    path.write_text(ROWS)
    ingest("flights", [path], actor="test", roles=ColumnRoles(timestamp="at", target="delay"))


@pytest.fixture
def carriers(flights: None) -> None:
    """Train a model on a view."""
    train_on(VIEW)


@pytest.fixture
def gates(flights: None) -> None:
    """Train a model on views of two entities."""
    train_on(VIEW, GATES)
    for view in (VIEW, GATES):
        materialize(str(view["name"]), actor="test")


def ask(*keys: Any, **options: Any) -> PredictAnswer:
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


def test_an_entity_is_the_same_by_key_and_by_column(carriers: None) -> None:
    materialize("carrier-delays", actor="test")
    answer = ask("UA", {"carrier": "UA"}, {"carrier": "nobody"})
    assert np.allclose(answer.predictions, [80.0, 80.0, 20.0])
    flush_log()
    assert Prediction.objects.get().entity_keys == ["UA", "UA", "nobody"]


def test_views_of_several_entities_are_looked_up_by_column(gates: None) -> None:
    answer = ask({"carrier": "UA", "gate": 1}, {"gate": 1.0, "carrier": "AA"}, {"carrier": "UA", "gate": 9})
    # The carrier's mean delay, and that of the carrier at the gate; 10 where there is none.
    assert np.allclose(answer.predictions, [2 * (40 + 40), 2 * (5 + 5), 2 * (40 + 10)])
    flush_log()
    assert Prediction.objects.get().entity_keys == ["UA|1", "AA|1", "UA|9"]


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (3, "is its key, a text, or an object with carrier; got 3"),
        ("", "a text of 1 to 300 characters"),
        ("a\x00", "a text of 1 to 300 characters"),
        ("x" * 301, "a text of 1 to 300 characters"),
        ({}, "is named by carrier; got nothing"),
        ({"tail": "N1"}, "is named by carrier; got tail"),
        ({"carrier": "UA", "tail": "N1"}, "is named by carrier; got carrier, tail"),
        ({"carrier": ["UA"]}, "'carrier' takes a text or a number; got ['UA']"),
        ({"carrier": None}, "'carrier' takes a text or a number; got None"),
    ],
)
def test_what_names_no_entity_is_refused_by_row(
    carriers: None, token: Callable[..., str], item: Any, text: str
) -> None:
    materialize("carrier-delays", actor="test")
    response = Client().post(
        "/api/v1/models/delays/versions/1/predict",
        json.dumps({"entities": ["UA", item]}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token()}"},
    )
    body = response.json()
    assert (response.status_code, body["code"], body["fields"]["row"]) == (400, "bad_entity", 1)
    assert text in json.dumps(body, ensure_ascii=False)
    assert not Prediction.objects.exists()


def test_a_key_can_not_name_several_entities(gates: None) -> None:
    with pytest.raises(BadEntityError, match="looks up several entities: send an object with carrier, gate; got"):
        ask("UA|1")


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
        ([("a@1", ("carrier",), ("length",))], "needs colour, which no feature view gives"),
    ],
)
def test_a_model_no_entity_can_serve_says_why(views: list[Any], text: str) -> None:
    served = [
        ServedView(spec=spec, entity=tuple(Column(name=name, dtype="string") for name in entity), features=features)
        for spec, entity, features in views
    ]
    with pytest.raises(EntitiesNotServedError, match=text):
        check_served("tiny@1", SCHEMA, served)
