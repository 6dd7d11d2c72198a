"""A recorded prediction can be traced, predicted again, and proven to have gone where it should."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from models_store.actions.promote import promote
from predictions import engine
from predictions.actions.audit_routes import audit_routes
from predictions.actions.log_predictions import flush_log
from predictions.actions.predict import PredictAnswer, PredictRequest, predict
from predictions.actions.record_outcomes import OutcomeItem, record_outcomes
from predictions.actions.replay import replay, replay_sample
from predictions.actions.score_shadow import shadow_queue
from predictions.actions.trace_prediction import trace_prediction
from predictions.adapters.reads import read_prediction
from predictions.errors import UnknownPredictionError
from predictions.models import Prediction
from tests.predictions.conftest import Configure
from tests.predictions.test_commands import run
from tests.predictions.tiny import ROW, staged


def ask(rows: Any = None, **options: Any) -> PredictAnswer:
    return predict(PredictRequest(principal="user:eve", request_id="r-1", rows=rows or [ROW], **options))


@pytest.mark.parametrize("engine_name", ["onnx", "sklearn"])
def test_a_prediction_comes_out_again_as_recorded(serving: None, engine_name: str) -> None:
    staged(engine=engine_name)
    answer = ask([[4.0, None, "red"], [2.5, 0.1, "blue"], [9.0, -3.0, "red"]])
    flush_log()
    assert replay(answer.prediction_id).equal
    assert run("replay", str(answer.prediction_id)) == {
        "equal": True,
        "checked": 1,
        "different": [],
        "not_checked": {},
    }


def test_a_prediction_is_looked_for_around_its_time_and_found_elsewhere_too(serving: None) -> None:
    staged()
    key = ask().prediction_id
    flush_log()
    with CaptureQueriesContext(connection) as asked:
        assert read_prediction(key).pk == key
    looks = [query["sql"] for query in asked if "BETWEEN" in query["sql"]]
    assert len(looks) == 1
    Prediction.objects.filter(pk=key).update(at=timezone.now() - timedelta(days=400))
    assert read_prediction(key).pk == key
    Prediction.objects.filter(pk=key).update(id=(other := uuid4()))
    assert read_prediction(other).pk == other


def test_a_changed_record_is_found(serving: None) -> None:
    staged()
    for length in (3.0, 5.0, 7.0):
        ask([[length, 1.0, "red"]])
    flush_log()
    assert (replay_sample(10).checked, replay_sample(2).checked) == (3, 2)
    row = Prediction.objects.first()
    assert row is not None
    row.outputs["probabilities"][0][0] += 1e-9
    row.save()
    found = replay_sample(10)
    assert (found.equal, found.different) == (False, (str(row.pk),))
    with pytest.raises(CommandError, match="replay_differs: 1 of 1"):
        call_command("replay", str(row.pk))


def test_what_is_not_recorded_whole_is_not_called_equal(serving: None, configure: Configure) -> None:
    configure(prediction_log__redact=["width"])
    staged()
    answer = ask()
    flush_log()
    found = replay(answer.prediction_id)
    assert (found.checked, found.not_checked) == (
        0,
        {str(answer.prediction_id): "personal columns were not recorded"},
    )


def test_a_prediction_of_another_id_is_unknown(serving: None) -> None:
    with pytest.raises(UnknownPredictionError):
        replay(uuid4())
    with pytest.raises(UnknownPredictionError):
        trace_prediction(uuid4())


def test_a_trace_shows_the_whole_path(serving: None) -> None:
    staged()
    version = staged("shadow", seed=2)
    staged("canary", seed=1, percent=100)
    answer = ask()
    shadow_queue.close()
    flush_log()
    record_outcomes([OutcomeItem(prediction_id=answer.prediction_id, actual="big")], actor="user:eve")
    found = trace_prediction(answer.prediction_id)
    assert found.request["principal"] == "user:eve"
    assert found.inputs == {"columns": ["length", "width", "colour"], "rows": [ROW], "entities": []}
    assert (found.version["model"], found.version["version"], found.version["engine"]) == ("tiny", 3, "onnx")
    assert (found.route["role"], found.route["percent"], found.route["right"]) == ("canary", 100, True)
    assert found.outputs["predictions"] == answer.predictions
    assert {(one["role"], one["version"]) for one in found.beside} == {("shadow", version.number), ("shadow", 1)}
    assert [one["actual"] for one in found.outcomes] == ["big"]
    other = trace_prediction(found.beside[0]["prediction_id"])
    assert [one["prediction_id"] for one in other.beside] == [answer.prediction_id]
    assert run("trace", str(answer.prediction_id))["route"]["right"] is True


def test_every_route_is_proven(serving: None) -> None:
    staged()
    ask()
    staged("canary", seed=1, percent=30)
    engine.refresh()
    for _ in range(50):
        ask()
    promote("tiny@2", target_stage="canary", percent=60, reason="more", actor="cli:test")
    engine.refresh()
    for _ in range(50):
        ask()
    flush_log()
    found = audit_routes("tiny")
    assert (found.ok, found.checked, found.wrong) == (True, 101, 0)
    assert set(Prediction.objects.values_list("role", flat=True)) >= {"production", "canary"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"role": "production"}, "canary was due for bucket"),
        ({"generation": F("generation") - 1}, "50 % is logged, 0 % was in force"),
        ({"route": {"by": "id", "bucket": 1, "percent": 50}}, "is due, 1 by id is logged"),
        ({"route": {}}, "a canary answered, and no split is logged"),
    ],
)
def test_a_wrong_route_is_found(serving: None, change: dict[str, Any], why: str) -> None:
    staged()
    staged("canary", seed=1, percent=50)
    while (answer := ask()).role != "canary":
        pass
    flush_log()
    if change.get("route"):
        change["route"]["key"] = Prediction.objects.get(pk=answer.prediction_id).route["key"]
    Prediction.objects.filter(pk=answer.prediction_id).update(**change)
    found = audit_routes()
    assert (found.ok, found.wrong) == (False, 1)
    assert why in found.faults[0]["why"]
    with pytest.raises(CommandError, match="wrong_route: 1 of"):
        call_command("route_audit", "tiny")


def test_a_route_by_an_older_key_is_told_apart(serving: None, settings: Any) -> None:
    staged()
    staged("canary", seed=1, percent=50)
    ask()
    flush_log()
    settings.SECRET_KEY = "another" * 8
    assert run("route_audit") == {"ok": True, "checked": 0, "by_other_key": 1, "wrong": 0, "faults": []}


def test_the_console_finds_a_prediction_and_shows_its_path(serving: None, client: Client) -> None:
    staged()
    answer = ask()
    flush_log()
    client.force_login(User.objects.create_superuser("root"))
    for term in (str(answer.prediction_id), "r-1", "user:eve", "tiny@1"):
        assert str(answer.prediction_id)[:8] in client.get(f"/admin/predictions/prediction/?q={term}").content.decode()
    for term in ("user:bob", "tiny@2", "tiny@x", str(uuid4())):
        page = client.get(f"/admin/predictions/prediction/?q={term}").content.decode()
        assert str(answer.prediction_id)[:8] not in page
    page = client.get(f"/admin/predictions/prediction/{answer.prediction_id}/change/").content.decode()
    for text in ("Path", "sent with the request", "tiny@1, onnx", "no canary was loaded", "not known yet"):
        assert text in page


def test_the_api_shows_route_and_snapshots(serving: None, client: Client, token: Any) -> None:
    staged()
    staged("canary", seed=1, percent=100)
    answer = ask()
    flush_log()
    headers = {"Authorization": f"Bearer {token('readonly')}"}
    body = json.loads(client.get(f"/api/v1/predictions/{answer.prediction_id}", headers=headers).content)
    assert (body["route"]["percent"], body["snapshots"]) == (100, {})
