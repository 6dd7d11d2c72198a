"""Keys for services: shown once, good for what they were made for, and no longer than said."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from mlsite.logs import redact
from models_store.actions.change_policy import change_policy
from models_store.errors import PolicyError, UnknownModelError
from models_store.models import AuditEntry
from predictions import engine, tokens
from predictions.actions.api_keys import new_key, note_key_used, revoke_key
from predictions.actions.predict import PredictRequest, predict
from predictions.errors import InvalidKeyRequestError, KeyExistsError, ModelForbiddenError, UnknownKeyError
from predictions.models import ApiKey
from tests.callers import bearer
from tests.predictions.conftest import Configure
from tests.predictions.test_commands import run
from tests.predictions.tiny import ROW, staged


def made(name: str = "etl", **more: Any) -> str:
    asked: dict[str, Any] = {"roles": ["user"], "models": [], "days": 30}
    return new_key(name, **asked | more, actor="cli:test").key


def ask(key: str, model: str = "tiny", path: str = "") -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    body = {"data": [ROW]}
    address = path or f"/api/v1/models/{model}/predict"
    return Client().post(address, body, content_type="application/json", headers=headers)


def test_a_key_is_kept_as_a_hash_and_calls_the_api(serving: None) -> None:
    staged()
    key = made()
    row = ApiKey.objects.get()
    assert key not in str(vars(row))
    assert key.rpartition("_")[2] not in str(vars(row))
    assert ask(key).status_code == 200
    row.refresh_from_db()
    assert row.last_used_at is not None
    assert tokens.verify_token(key).name == "key:etl"
    assert AuditEntry.objects.get(action="api_key.new").object_id == "etl"


@pytest.mark.parametrize(
    "change",
    [lambda key: key[:-1] + ("a" if key[-1] != "a" else "b"), lambda key: "mlk_" + "0" * 12 + key[16:], str.upper],
)
def test_a_wrong_key_is_401(serving: None, change: Any) -> None:
    staged()
    answer = ask(change(made()))
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


def test_a_key_is_good_for_its_models_only(serving: None) -> None:
    staged()
    staged(name="other", seed=2)
    key, whole = made(models=["tiny"]), made("whole")
    assert ask(key).status_code == 200
    answer = ask(key, "other")
    assert (answer.status_code, answer.json()["code"]) == (403, "model_forbidden")
    assert answer.json()["error"] == "this key is good for tiny, not for other"
    theirs = ask(whole, "other").json()["prediction_id"]
    ours = ask(key).json()["prediction_id"]
    headers = {"Authorization": f"Bearer {key}"}
    assert Client().get(f"/api/v1/predictions/{ours}", headers=headers).status_code == 200
    assert Client().get(f"/api/v1/predictions/{theirs}", headers=headers).status_code == 404
    body = {"prediction_id": theirs, "actual": "big"}
    feedback = Client().post("/api/v1/feedback", body, content_type="application/json", headers=headers)
    assert feedback.status_code == 404


def test_a_key_is_good_for_its_roles_only(serving: None) -> None:
    staged()
    assert ask(made(roles=["readonly"])).status_code == 403


def test_a_key_through_a_door_that_knows_nothing_of_it_is_refused(serving: None) -> None:
    staged()
    with pytest.raises(ModelForbiddenError, match="this key can't be used here"):
        predict(PredictRequest(principal="key:etl", request_id="r", rows=[ROW]))


def test_a_revoked_key_stops_working(serving: None, configure: Configure) -> None:
    staged()
    key = made()
    configure(security__token_cache_s=0.0)
    assert ask(key).status_code == 200
    assert run("api_keys", "revoke", "etl", "--actor", "root") == {"name": "etl", "revoked": True}
    assert ask(key).status_code == 401
    assert not revoke_key("etl", actor="cli:test")
    with pytest.raises(UnknownKeyError):
        revoke_key("nobody", actor="cli:test")


def test_a_verified_key_is_remembered_no_longer_than_its_life(serving: None) -> None:
    key = made()
    ApiKey.objects.update(expires_at=timezone.now() + timedelta(seconds=0.3))
    assert tokens.verify_token(key).name == "key:etl"
    time.sleep(0.4)
    assert tokens.verified.get(key) is None
    assert ask(key).status_code == 401


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"roles": ["root"]}, "roles"), ({"roles": []}, "roles"), ({"days": 0}, "days"), ({"days": 400}, "days")],
)
def test_a_senseless_key_is_refused(serving: None, asked: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidKeyRequestError) as caught:
        made(**asked)
    assert caught.value.fields["field"] == field


def test_a_name_is_checked_and_used_once(serving: None) -> None:
    for name in ("a b", "", "x" * 101):
        with pytest.raises(InvalidKeyRequestError):
            made(name)
    with pytest.raises(UnknownModelError):
        made(models=["nothing"])
    made()
    with pytest.raises(KeyExistsError):
        made()


def test_use_is_noted_seldom(serving: None) -> None:
    made()
    row = ApiKey.objects.get()
    note_key_used(row.pk)
    first = ApiKey.objects.get().last_used_at
    note_key_used(row.pk)
    assert ApiKey.objects.get().last_used_at == first


def test_the_command_makes_and_lists(serving: None) -> None:
    staged()
    found = run("api_keys", "new", "etl", "--role", "user", "--model", "tiny", "--days", "3")
    assert ask(found["key"]).status_code == 200
    assert (found["roles"], found["models"]) == (["user"], ["tiny"])
    listed = run("api_keys", "list")["keys"]
    assert [(key["name"], key["prefix"]) for key in listed] == [("etl", found["key"][4:16])]


def test_the_console_shows_a_key_once(serving: None, client: Client) -> None:
    staged()
    client.force_login(User.objects.create_superuser("root"))
    page = "/admin/predictions/apikey/make/"
    assert client.get(page).status_code == 200
    form = {"name": "etl", "role": "user", "models": "tiny", "days": "30"}
    answer = client.post(page, form)
    key = answer.content.decode().partition("mlk_")[2].partition("<")[0]
    assert "no-store" in answer["Cache-Control"]
    assert ask(f"mlk_{key}").status_code == 200
    assert "a key is named etl already" in client.post(page, form).content.decode().replace("&#x27;", "'")
    row = ApiKey.objects.get()
    for address in ("/admin/predictions/apikey/", f"/admin/predictions/apikey/{row.pk}/change/"):
        text = client.get(address).content.decode()
        assert "etl" in text
        assert row.secret_hash not in text
    client.post(f"/admin/predictions/apikey/{row.pk}/revoke/", {"_form_submitted": "on", "reason": "gone"})
    row.refresh_from_db()
    assert row.revoked_at is not None


def test_only_administrators_make_keys_in_the_console(serving: None, client: Client) -> None:
    user = User.objects.create_user("eve", is_staff=True)
    user.groups.add(Group.objects.get(name="user"))
    client.force_login(user)
    assert client.get("/admin/predictions/apikey/make/").status_code == 403
    assert "New key" not in client.get("/admin/predictions/apikey/").content.decode()


def test_a_policy_names_who_may_ask(serving: None) -> None:
    staged()
    change_policy("tiny", {"callers": ["key:etl", "service:caller", "role:promoter"]}, actor="cli:root", reason="few")
    engine.refresh()
    assert ask(made()).status_code == 200
    answer = ask(made("other"))
    assert (answer.status_code, answer.json()["code"]) == (403, "model_forbidden")
    assert answer.json()["error"] == "key:other may not ask tiny: its policy names who may"
    for headers, status in (
        (bearer("user"), 200),
        (bearer("user", sub="another"), 403),
        (bearer("user", "promoter", sub="another"), 200),
        (bearer("admin", sub="another"), 200),
    ):
        answer = Client().post("/api/v1/predict", {"data": [ROW]}, content_type="application/json", headers=headers)
        assert answer.status_code == status, headers
    with pytest.raises(PolicyError, match="callers is a list of user:NAME"):
        change_policy("tiny", {"callers": ["everybody"]}, actor="cli:root", reason="wrong")


def test_a_key_in_a_log_is_hidden() -> None:
    key = "mlk_0123456789ab_" + "s" * 43
    assert redact(None, "", {"event": f"got {key}!"})["event"] == "got [key]!"
