"""Runs over HTTP."""

from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.conf import settings
from django.test import Client

from features.models import Dataset, DatasetVersion
from pipeline.actions import runs
from pipeline.models import Run

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/runs"
BASIC = {"model": "m", "dataset": "d"}
TRAIN = {"kind": "train", "params": {"model": "m", "dataset": "d@1", "params": {"max_iter": 50, "x": None}}}


@pytest.fixture(autouse=True)
def dataset(db: None) -> None:
    """Make a dataset to train on."""
    columns = [
        {"name": name, "dtype": dtype, "nullable": True, "role": role}
        for name, dtype, role in (("x", "number", "feature"), ("tail", "string", "entity"), ("y", "boolean", "target"))
    ]
    made = Dataset.objects.create(name="d", schema=columns)
    DatasetVersion.objects.create(
        dataset=made, number=1, delta_version=0, fingerprint="f" * 64, rows_valid=9, rows_total=9
    )


def bearer(*roles: str, sub: str = "caller") -> dict[str, str]:
    claims = {
        "exp": 4_000_000_000,
        "jti": uuid4().hex,
        "sub": sub,
        "roles": roles,
        "iss": "mlsite",
        "aud": "mlsite-api",
    }
    return {"Authorization": f"Bearer {jwt.encode(claims, settings.JWT_SECRET, algorithm='HS256')}"}


def post(client: Client, body: Any, **headers: str) -> Any:
    return client.post(URL, body, content_type="application/json", headers={**bearer("admin"), **headers})


def test_admin_asks_for_a_run(client: Client) -> None:
    answer = post(client, TRAIN)
    run = Run.objects.get()
    assert answer.status_code == 202
    assert answer["Location"] == f"{URL}/{run.pk}"
    assert (answer.json()["id"], answer.json()["state"]) == (str(run.pk), "queued")
    assert run.actor == "service:caller"
    assert run.params == {**TRAIN["params"], "views": [], "slices": []}


def test_training_takes_over_http_what_the_command_takes(client: Client) -> None:
    chosen = {
        "estimator": "k-nn",
        "class_weight": {"true": 2},
        "calibrate": "isotonic",
        "threshold_goal": "recall>=0.8",
        "tune": 9,
        "split": "group",
        "group": "tail",
        "cv": 3,
        "importance": True,
        "check_reproducible": True,
    }
    assert post(client, {"kind": "train", "params": BASIC | chosen}).status_code == 202
    assert Run.objects.get().params.items() >= chosen.items()


@pytest.mark.parametrize(
    ("params", "field", "text"),
    [
        ({"calibrate": "platt"}, "calibrate", "must be one of sigmoid, isotonic, got platt"),
        ({"split": "fair"}, "split", "must be one of time, random, group, got fair"),
        ({"cv": 1}, "cv", "cv must be from 2 to 20, got 1"),
        ({"tune": 501}, "tune", "tune must be from 2 to 500, got 501"),
        ({"threshold_goal": "luck"}, "threshold_goal", "must be f1, precision>=X, recall>=X"),
        (
            {"class_weight": "fair"},
            "class_weight",
            "must be balanced or a weight over 0, at most 1e+06, for each label",
        ),
        ({"class_weight": {"true": -1}}, "class_weight", "got true=-1"),
        ({"class_weight": [1]}, "class_weight", "got [1]"),
        ({"group": "tail"}, "group", "is for --split group, got tail"),
    ],
)
def test_choice_of_another_form_names_field_and_what_is_allowed(
    client: Client, params: dict[str, Any], field: str, text: str
) -> None:
    answer = post(client, {"kind": "train", "params": BASIC | params})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert text in str(answer.json()["fields"]["params"][field])
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"dataset": "nope"}, 404, "unknown_dataset"),
        ({"dataset": "d@2"}, 404, "unknown_dataset_version"),
        ({"views": ["nope"]}, 404, "unknown_feature_view"),
        ({"estimator": "magic"}, 404, "unknown_estimator"),
        ({"target": "nope"}, 404, "unknown_target"),
        ({"slices": ["nope"]}, 404, "unknown_slice"),
        ({"split": "group", "group": "nope"}, 400, "no_group"),
    ],
)
def test_training_of_what_is_not_there_is_refused_at_once(
    client: Client, params: dict[str, Any], status: int, code: str
) -> None:
    answer = post(client, {"kind": "train", "params": BASIC | params})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Run.objects.exists()


def test_training_on_a_snapshot_that_is_not_there_is_refused_at_once(client: Client) -> None:
    answer = post(client, {"kind": "train", "params": {"model": "m", "snapshot_id": 9}})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_snapshot")


@pytest.mark.parametrize(("roles", "status"), [(("user",), 403), (("promoter", "readonly"), 403), ((), 401)])
def test_others_may_not_ask(client: Client, roles: tuple[str, ...], status: int) -> None:
    headers = bearer(*roles) if roles else {}
    assert client.post(URL, TRAIN, content_type="application/json", headers=headers).status_code == status
    assert not Run.objects.exists()


def test_same_key_and_body_give_the_stored_run(client: Client) -> None:
    first = post(client, TRAIN, **{"Idempotency-Key": "k1"})
    again = post(client, TRAIN, **{"Idempotency-Key": "k1"})
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert Run.objects.count() == 1


def test_same_key_with_another_body_is_refused(client: Client) -> None:
    post(client, TRAIN, **{"Idempotency-Key": "k1"})
    answer = post(client, {"kind": "drift", "params": {"model": "m"}}, **{"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")


def test_keys_of_two_callers_do_not_meet(client: Client) -> None:
    for caller in ("alice", "bob"):
        headers = {**bearer("admin", sub=caller), "Idempotency-Key": "k1"}
        assert client.post(URL, TRAIN, content_type="application/json", headers=headers).status_code == 202
    assert Run.objects.count() == 2


def test_key_of_a_wrong_length_is_refused(client: Client) -> None:
    answer = post(client, TRAIN, **{"Idempotency-Key": "k" * 201})
    assert (answer.status_code, answer.json()["fields"]) == (
        400,
        {"Idempotency-Key": "must have 1 to 200 characters, got 201"},
    )


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({"model": "m@2", "input": "d@3"}, {"model": "m@2", "dataset": "d@3"}),
        (
            {"model": "m", "input": "a.csv", "output": "b.csv", "chunk_rows": 10},
            {"model": "m", "inbox": "a.csv", "outbox": "b.csv", "chunk_rows": 10},
        ),
    ],
)
def test_score_names_datasets_and_files_of_the_inbox(
    client: Client, asked: dict[str, Any], kept: dict[str, Any]
) -> None:
    assert post(client, {"kind": "score", "params": asked}).status_code == 202
    assert Run.objects.get().params == kept


def test_drift_and_materialize_are_taken(client: Client) -> None:
    drift = {"kind": "drift", "params": {"model": "m", "current": "now.parquet", "method": "psi"}}
    assert post(client, drift).json()["params"] == {"model": "m", "inbox": "now.parquet", "method": "psi"}
    view = {"kind": "materialize", "params": {"view": "v", "as_of": "2013-01-01T00:00:00Z", "full": True}}
    assert post(client, view).json()["params"]["as_of"] == "2013-01-01T00:00:00+00:00"


PATHS = [
    "../a.csv",
    "/etc/a.csv",
    "..",
    ".csv",
    "a/b.csv",
    "a\\b.csv",
    "%2e%2e%2fa.csv",
    "a.csv\x00",
    "a.csv\n",
    "file:///a.csv",
    "a b.csv",
    "",
]


@pytest.mark.django_db  # nothing is written, so nothing need be flushed
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("field", ["input", "output"])
def test_paths_are_refused(client: Client, field: str, path: str) -> None:
    params = {"model": "m", "input": "d", field: path}
    answer = post(client, {"kind": "score", "params": params})
    assert answer.status_code == 400
    assert field in answer.json()["fields"]["params"]
    assert not Run.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "non_field_errors"),
        ({"kind": "noop"}, "kind"),
        ({"kind": "ingest", "params": {}}, "kind"),
        ({"kind": "train", "params": {}, "actor": "root"}, "actor"),
        ({"kind": "train", "params": {"model": "m"}}, "params"),
        ({"kind": "train", "params": {"model": "m", "dataset": "d", "snapshot_id": 1}}, "params"),
        ({"kind": "train", "params": {"model": "../m", "dataset": "d"}}, "params"),
        ({"kind": "train", "params": {"model": "m", "dataset": "d", "params": {"a": {"b": 1}}}}, "params"),
        ({"kind": "train", "params": {"model": "m", "dataset": "d", "params": {"a": "x\x00"}}}, "params"),
        ({"kind": "train", "params": {"model": "m", "dataset": "d", "run_id": 1}}, "params"),
        ({"kind": "materialize", "params": {"view": "v", "as_of": "soon"}}, "params"),
        ({"kind": "drift", "params": {"model": "m", "current": "../x.csv"}}, "params"),
        ({"kind": "drift", "params": "x"}, "params"),
    ],
)
def test_wrong_bodies_are_refused(client: Client, body: Any, field: str) -> None:
    answer = post(client, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert field in answer.json()["fields"]
    assert not Run.objects.exists()


def test_overflowing_number_is_refused(client: Client) -> None:
    raw = '{"kind": "train", "params": {"model": "m", "dataset": "d", "params": {"a": 1e999}}}'
    assert post(client, raw).status_code == 400


def test_every_role_reads_runs(client: Client) -> None:
    run = runs.enqueue_run("noop", {}, actor="system")
    for role in ("admin", "promoter", "user", "readonly"):
        assert client.get(f"{URL}/{run.pk}", headers=bearer(role)).json()["kind"] == "noop"
    assert client.get(f"{URL}/{run.pk}").status_code == 401
    answer = client.get(f"{URL}/{uuid4()}", headers=bearer("user"))
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_run")


def test_runs_are_listed_in_pages_with_filters(client: Client) -> None:
    made = [runs.enqueue_run("noop", {"n": number}, actor="system") for number in range(5)]
    runs.cancel_run(made[0].pk, actor="system")
    page = client.get(URL, {"page_size": 3}, headers=bearer("readonly")).json()
    assert [run["params"]["n"] for run in page["results"]] == [4, 3, 2]
    rest = client.get(page["next"], headers=bearer("readonly")).json()
    assert [run["params"]["n"] for run in rest["results"]] == [1, 0]
    found = client.get(URL, {"state": "cancelled", "kind": "noop"}, headers=bearer("readonly")).json()["results"]
    assert [run["error"] for run in found] == [{"code": "cancelled", "error": "cancelled by system"}]
    oldest = client.get(URL, {"ordering": "created_at"}, headers=bearer("readonly")).json()["results"]
    assert oldest[0]["params"] == {"n": 0}


def test_a_method_that_is_not_there_is_405_whoever_asks(client: Client) -> None:
    for role in ("admin", "readonly"):
        answer = client.put(URL, headers=bearer(role))
        assert (answer.status_code, answer["Allow"]) == (405, "GET, POST, HEAD, OPTIONS")
    assert client.put(URL).status_code == 401


SIZES = ("page_size=0", "page_size=201", "page_size=x", "page_size=-1", "page_size=")


@pytest.mark.parametrize("query", ["state=lost", "kind=dance", "ordering=params", *SIZES])
def test_unknown_filters_are_refused(client: Client, query: str) -> None:
    assert client.get(f"{URL}?{query}", headers=bearer("readonly")).status_code == 400
