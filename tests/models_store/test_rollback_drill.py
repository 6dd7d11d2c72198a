"""A drilled rollback ends where it began, measures, and tells whatever went wrong meanwhile."""

from contextlib import contextmanager

import pytest
from django.conf import settings
from django.core.management.base import CommandError

from features.ground.errors import DomainError
from models_store.actions.change_policy import change_policy
from models_store.actions.drill_rollback import _returned, drill_rollback
from models_store.actions.promote import promote
from models_store.actions.rollback import rollback
from models_store.actions.verify_audit import verify_audit
from models_store.adapters.served import Said, served_at, served_here
from models_store.core.history import PROMOTE, ROLLBACK, Change, previous_production
from models_store.errors import (
    DrillFailedError,
    DrillRefusedError,
    NothingToRollBackToError,
    NotServedError,
    PromotionConflictError,
)
from models_store.models import AuditEntry, RegisteredModel
from predictions import engine
from predictions.actions.issue_token import issue_token
from predictions.actions.log_predictions import log
from tests.models_store.made import classifier, made
from tests.models_store.people import account, ask, stages
from tests.models_store.test_commands import run
from tests.models_store.test_promotion_api import post

SAMPLE = [[1.0, 2.0], [3.0, 0.5]]


@pytest.fixture
def two(store):
    """Put two versions that answer differently in production, one after the other."""
    engine.stop()
    for weight in (1.0, 3.0):
        version = made(files={"model.onnx": classifier(weight)}, sample=SAMPLE)
        promote(str(version), target_stage="production", reason="better", actor="user:ann")
    yield
    engine.stop()


def drill(**changes):
    return drill_rollback("flights", **{"reason": "monthly", "actor": "user:bob", **changes})


def test_drill_ends_where_it_began_and_keeps_what_it_measured(two):
    done = drill()
    assert (done.live, done.tried, done.failed, done.wrong, done.generation) == (2, 1, 0, 0, 4)
    assert stages() == {1: "archived", 2: "production"}
    assert done.answers >= 3
    assert None not in (done.served_there_s, done.served_back_s)
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.object_id, entry.actor, entry.reason) == (
        "rollback_drill",
        "flights",
        "user:bob",
        "monthly",
    )
    assert entry.after.items() >= {"failed": 0, "wrong": 0, "answers": done.answers, "production": 2}.items()
    assert verify_audit().ok
    # As if it had never been: the real rollback still goes to the version before.
    assert rollback("flights", reason="worse", actor="user:bob").to_version == 1


def test_canary_stays_and_its_answers_count(two):
    made(files={"model.onnx": classifier(7.0)}, sample=SAMPLE)
    ask("flights@3", "canary", percent=50)
    done = drill()
    assert (done.failed, done.wrong) == (0, 0)
    assert stages() == {1: "archived", 2: "production", 3: "canary"}
    assert RegisteredModel.objects.get().canary_percent == 50


def test_wrong_answers_are_told_after_the_return(two, monkeypatch):
    @contextmanager
    def mixed_up(model):
        with served_here(model) as served:

            class Liar:
                pause_s = 0.005

                def ask(self, row, number=None):
                    said = served.ask(row, number)
                    # The old version's value under the new one's name, as a torn swap would give.
                    return said if number or said.version == 2 else Said(version=2, answer=said.answer)

            yield Liar()

    # The old version is waited for as long as this, and never shows itself.
    monkeypatch.setattr("models_store.actions.drill_rollback.WAIT_S", 2.0)
    with pytest.raises(DrillFailedError, match="ended where it began") as refused:
        drill(reach=mixed_up)
    assert refused.value.fields["wrong"] > 0
    assert stages() == {1: "archived", 2: "production"}
    assert AuditEntry.objects.latest("id").after["wrong"] > 0


def test_failed_requests_are_counted(two):
    @contextmanager
    def breaking(model):
        with served_here(model) as served:

            class Breaking:
                pause_s = 0.005

                def ask(self, row, number=None):
                    said = served.ask(row, number)
                    if number is None and said.version == 1:
                        raise OSError("connection reset")
                    return said

            yield Breaking()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models_store.actions.drill_rollback.WAIT_S", 2.0)
        with pytest.raises(DrillFailedError, match="connection reset"):
            drill(reach=breaking)
    assert stages() == {1: "archived", 2: "production"}


def test_drill_that_would_void_a_request_is_refused(two):
    made()
    change_policy("flights", {"approvals": 1}, actor="cli:root")
    number = ask("flights@3").request
    with pytest.raises(DrillRefusedError, match=f"request {number} is open"):
        drill()
    assert stages() == {1: "archived", 2: "production", 3: "candidate"}
    assert AuditEntry.objects.latest("id").action == "rollback_drill_refused"


def test_drill_is_held_by_a_freeze_as_a_promotion_is(two):
    change_policy("flights", {"freezes": [{"from": "2020-01-01", "to": "2999-01-01", "reason": "x"}]}, actor="cli:r")
    with pytest.raises(DomainError, match="frozen until"):
        drill()


def test_drill_needs_a_version_to_go_to(store):
    made()
    with pytest.raises(DrillRefusedError, match="no version in production"):
        drill()
    ask()
    with pytest.raises(NothingToRollBackToError):
        drill()
    assert stages() == {1: "production"}


def test_account_without_the_right_may_not_drill(two):
    with pytest.raises(DomainError, match="may not"):
        drill(actor=account("rea", "readonly"))


def test_command_drills(two):
    done = run("rollback", "flights", "--drill", "--reason", "monthly", "--actor", "cli:bob")
    assert done.items() >= {"live": 2, "tried": 1, "failed": 0, "wrong": 0}.items()


def test_history_forgets_what_was_undone():
    def changes(*steps):
        return [Change(action=action, production=live, undoes=undoes) for action, live, undoes in steps]

    before = [(PROMOTE, 3, False), (PROMOTE, 1, False), (PROMOTE, 3, False)]
    drilled = [(ROLLBACK, 1, False), (ROLLBACK, 3, True)]
    assert previous_production(changes(*before)) == 1
    assert previous_production(changes(*before, *drilled)) == 1
    assert previous_production(changes(*before, *drilled, (ROLLBACK, 1, False))) == 3


def test_rollback_and_drill_over_http(two):
    def sent(path, role="promoter", **body):
        return post(f"/api/v1/models/flights/rollback{path}", f"a-{role}", role, {"reason": "worse", **body})

    assert sent("", role="approver").status_code == 403
    assert sent("", reason="").status_code == 400
    stale = sent("", expected_generation=1)
    assert (stale.status_code, stale.json()["fields"]) == (409, {"expected_generation": 1, "generation": 2})
    assert sent("", to=9).json()["code"] == "unknown_version"
    assert sent("/drill").json().items() >= {"live": 2, "failed": 0, "wrong": 0, "generation": 4}.items()
    done = sent("", expected_generation=4)
    assert (done.status_code, done.json()["to_version"]) == (200, 1)
    assert sent("/drill").json()["code"] == "nothing_to_roll_back_to"
    assert stages() == {1: "production", 2: "archived"}


def test_return_is_tried_again_beside_another_change_and_never_over_another_promotion(two):
    there = rollback("flights", reason="drill", actor="user:bob")
    made(files={"model.onnx": classifier(7.0)}, sample=SAMPLE)
    ask("flights@3")
    with pytest.raises(PromotionConflictError, match="no longer at version 1: somebody put 3 there"):
        _returned("flights", there, "drill", "user:bob")
    assert stages() == {1: "archived", 2: "archived", 3: "production"}


@pytest.fixture
def user_token(two):
    account("una", "user")
    yield issue_token("una", role="user", minutes=5, create=False).token
    # The thread that answers were offered to must not outlive the database.
    log.close()


def test_drill_of_a_running_server_asks_over_http(user_token, live_server):
    options = ("--url", live_server.url, "--token", user_token)
    # As a serving process does.
    with engine.followed():
        done = run("rollback", "flights", "--drill", "--reason", "monthly", "--actor", "cli:bob", *options)
    assert done.items() >= {"live": 2, "tried": 1, "failed": 0, "wrong": 0, "held_back": 0}.items()
    assert None not in (done["served_there_s"], done["served_back_s"])


def test_server_that_refuses_stops_the_drill_before_anything_changes(two, live_server):
    with pytest.raises(NotServedError, match="answered 401"):
        drill(reach=served_at(live_server.url, "no token"))
    with pytest.raises(NotServedError, match="gave no answer"):
        drill(reach=served_at("http://127.0.0.1:1", "no token"))
    assert RegisteredModel.objects.get().generation == 2


def test_rate_limit_holds_back_and_fails_nothing(user_token, live_server, monkeypatch):
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"rate_limit": "1/hour"}))
    with served_at(live_server.url, user_token)("flights") as served:
        assert [served.ask(SAMPLE[0]).held_back for _ in range(2)][-1]


def test_url_without_a_token_is_refused(two):
    with pytest.raises(CommandError, match="goes with --token"):
        run("rollback", "flights", "--drill", "--reason", "x", "--url", "http://127.0.0.1:1")
    with pytest.raises(CommandError, match="leave out --to"):
        run("rollback", "flights", "--drill", "--reason", "x", "--to", "1")
