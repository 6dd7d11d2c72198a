"""Runs that people ask for, cancel and retry are in the audit, and what was refused is there once."""

import pytest

from features.ground.errors import DomainError
from models_store.models import AuditEntry
from pipeline.actions.runs import cancel_run, enqueue_run, retry_run
from pipeline.actions.train import TrainRequest, train

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]


def entries() -> list[tuple[str, str, str]]:
    return list(AuditEntry.objects.order_by("id").values_list("action", "object_id", "actor"))


def test_run_is_followed_from_who_asked_to_who_ended_it():
    run = enqueue_run("drift", {"model": "late"}, actor="user:ann")
    cancel_run(run.pk, actor="user:bob")
    with pytest.raises(DomainError, match="it must be queued or running"):
        cancel_run(run.pk, actor="user:bob")
    retry_run(run.pk, actor="user:cid")
    name = str(run.pk)
    assert entries() == [
        ("enqueue_run", name, "user:ann"),
        ("cancel_run", name, "user:bob"),
        ("cancel_run_refused", name, "user:bob"),
        ("retry_run", name, "user:cid"),
    ]


def test_repeated_request_is_one_deed():
    for _ in range(2):
        enqueue_run("drift", {"model": "late"}, actor="user:ann", idempotency_key="k")
    assert [action for action, _, _ in entries()] == ["enqueue_run"]


def test_refusal_inside_a_refusal_is_kept_once():
    with pytest.raises(DomainError, match="no dataset"):
        train(TrainRequest(model="late", dataset="gone"), actor="user:ann")
    assert len(entries()) == 1
