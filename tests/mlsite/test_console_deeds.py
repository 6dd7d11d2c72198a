"""What the console's dialogs do, what they say before, and that a stale one is refused."""

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from models_store.actions.change_policy import change_policy
from models_store.core.policy import parse_policy
from models_store.models import AuditEntry, ModelVersion, RegisteredModel, Waiver
from pipeline.models import Run
from tests.mlsite.console_dialogs import Dialog, dialogs, submit
from tests.mlsite.console_site import make_models, make_runs, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def dialog(name: str) -> Dialog:
    return next(found for found in dialogs() if str(found) == name)


def said(answer: HttpResponse) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


@pytest.fixture
def versions() -> dict[int, ModelVersion]:
    return make_models()


@pytest.fixture
def ada(versions: dict[int, ModelVersion]) -> Client:
    make_user()
    client = Client()
    client.force_login(User.objects.get(username="ada"))
    return client


def test_promotion_says_what_it_would_do(ada: Client, versions: dict[int, ModelVersion]) -> None:
    RegisteredModel.objects.update(policy={"approvals": 2})
    page = ada.get(dialog("ModelVersion.promote").address(versions[2].pk)).content.decode()
    assert "late-arrivals@1 leaves it and becomes archived." in page
    assert "Nothing changes until 2 people have agreed" in page
    assert "scores a copy of the requests" in page


def test_canary_gets_another_share(ada: Client, versions: dict[int, ModelVersion]) -> None:
    share = dialog("ModelVersion.change_percent").address(versions[2].pk)
    assert ada.get(share).status_code == 403
    promote = dialog("ModelVersion.promote").address(versions[2].pk)
    submit(ada, promote, target_stage="canary", percent="5", reason="Try it.")
    assert "less than or equal to 100" in submit(ada, share, percent="101", reason="More.").content.decode()
    assert "It takes 50 % of requests" in said(submit(ada, share, percent="50", reason="More."))
    assert RegisteredModel.objects.get().canary_percent == 50
    stale = submit(ada, share, percent="70", reason="More.", expected_generation=1)
    assert "you saw generation 1" in said(stale)
    assert RegisteredModel.objects.get().canary_percent == 50


def test_stale_rollback_is_refused_and_audited(ada: Client, versions: dict[int, ModelVersion]) -> None:
    back = dialog("RegisteredModel.roll_back").address(versions[1].model_id)
    assert "you saw generation 0" in said(submit(ada, back, to="", reason="Too slow.", expected_generation=0))
    assert AuditEntry.objects.filter(action="rollback_refused").exists()


def test_failed_gate_is_waived_by_name_and_reason(ada: Client, versions: dict[int, ModelVersion]) -> None:
    promote = dialog("ModelVersion.promote").address(versions[3].pk)
    asked = {"target_stage": "production", "reason": "The order is all that is used."}
    assert "waive_" not in ada.get(promote).content.decode()
    refused = said(submit(ada, promote, **asked))
    assert "may not go to production" in refused
    fields = [name for name in ada.get(promote).context["form"].fields if name.startswith("waive_")]
    assert "waive_better_than_baseline" in fields
    waived = dict.fromkeys(fields, "Only the order of scores is used.")
    assert "is now production" in said(submit(ada, promote, **asked, **waived))
    assert set(Waiver.objects.values_list("gate", flat=True)) == {name.removeprefix("waive_") for name in fields}


def test_version_is_archived_and_another_rejected(ada: Client, versions: dict[int, ModelVersion]) -> None:
    retire = dialog("ModelVersion.retire").address
    page = ada.get(retire(versions[1].pk)).content.decode()
    assert "then has no version in production" in page
    assert "is now archived" in said(submit(ada, retire(versions[1].pk), target_stage="archived", reason="It ends."))
    assert "is now rejected" in said(submit(ada, retire(versions[3].pk), target_stage="rejected", reason="No use."))
    assert ada.get(retire(versions[3].pk)).status_code == 403


def test_version_is_trained_again_with_the_same_parameters(ada: Client, versions: dict[int, ModelVersion]) -> None:
    retrain = dialog("ModelVersion.retrain").address(versions[1].pk)
    assert ada.get(retrain).status_code == 403  # made from no dataset that is known
    params = {"model": "late-arrivals", "dataset": "flights", "seed": 7}
    Run.objects.filter(pk=versions[1].run_id).update(params=params)
    assert "A run trains on flights" in ada.get(retrain).content.decode()
    answer = submit(ada, retrain, reason="A new month.")
    made = Run.objects.get(state="queued")
    assert (made.kind, made.params, made.actor) == ("train", params, "user:ada")
    assert answer["HX-Redirect"] == f"/admin/pipeline/run/{made.pk}/change/"
    entry = AuditEntry.objects.get(action="enqueue_run")
    assert (entry.object_id, entry.reason, entry.after["params"]) == (str(made.pk), "A new month.", params)


def test_drift_report_is_asked_for(ada: Client, versions: dict[int, ModelVersion]) -> None:
    drift = dialog("ModelVersion.run_drift").address(versions[1].pk)
    assert "less than or equal to 8784" in submit(ada, drift, window_hours="9999", reason="x").content.decode()
    submit(ada, drift, window_hours="12", method="ks", reason="A complaint.")
    assert Run.objects.get(state="queued").params == {"model": "late-arrivals@1", "window_hours": 12.0, "method": "ks"}


def test_model_is_trained_from_its_dataset(ada: Client, versions: dict[int, ModelVersion]) -> None:
    snapshot = versions[1].snapshot
    assert snapshot is not None
    train = dialog("Dataset.train").address(snapshot.dataset_version.dataset_id)
    refused = submit(ada, train, model="../late", reason="x").content.decode()
    assert "This value does not match the required pattern" in refused
    assert not Run.objects.filter(state="queued").exists()
    submit(ada, train, model="late", estimator="ridge", slices="carrier, origin", seed="3", reason="Try.")
    params = {"model": "late", "dataset": "flights", "estimator": "ridge", "slices": ["carrier", "origin"], "seed": 3}
    assert {name: value for name, value in Run.objects.get(state="queued").params.items() if value} == params


def test_run_is_cancelled_and_queued_again(ada: Client) -> None:
    run = next(run for run in make_runs() if run.state == "running")
    cancel, retry = dialog("Run.cancel").address(run.pk), dialog("Run.retry").address(run.pk)
    assert ada.get(retry).status_code == 403
    assert "is cancelled" in said(submit(ada, cancel, reason="Wrong data."))
    assert submit(ada, cancel, reason="Again.").status_code == 403
    assert "is queued again" in said(submit(ada, retry, reason="The data is mended."))
    run.refresh_from_db()
    assert (run.state, run.actor, run.attempt) == ("queued", "user:ada", 0)
    told = AuditEntry.objects.filter(object_id=str(run.pk)).order_by("id").values_list("action", "reason")
    assert list(told) == [("cancel_run", "Wrong data."), ("retry_run", "The data is mended.")]


def test_run_that_ended_meanwhile_is_not_cancelled(ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    run = next(run for run in make_runs() if run.state == "running")
    Run.objects.filter(pk=run.pk).update(state="succeeded", finished_at=timezone.now())
    # It ends between the look at the right and the deed.
    monkeypatch.setattr("pipeline.admin.runs.UNDER_WAY", ("succeeded",))
    assert "it is succeeded" in said(submit(ada, dialog("Run.cancel").address(run.pk), reason="Late."))
    assert AuditEntry.objects.filter(action="cancel_run_refused", object_id=str(run.pk)).exists()


def test_run_page_is_told_how_far_it_is(ada: Client, client: Client) -> None:
    run = next(run for run in make_runs() if run.state == "running")
    Run.objects.filter(pk=run.pk).update(log="09:30:00 <b>fitting</b>")
    page = ada.get(f"/admin/pipeline/run/{run.pk}/change/").content.decode()
    address = f"/admin/pipeline/run/{run.pk}/progress/"
    assert f'data-address="{address}"' in page
    assert "09:30:00 &lt;b&gt;fitting&lt;/b&gt;" in page
    answer = ada.get(address)
    assert "no-store" in answer["Cache-Control"]
    told = answer.json()
    assert (told["state"], told["percent"], told["ended"]) == ("running", 45, False)
    assert told["log"] == "09:30:00 <b>fitting</b>"
    client.force_login(User.objects.create_user("eve", is_staff=True))
    assert client.get(address).status_code == 403
    assert ada.get(address.replace(str(run.pk)[:8], "0" * 8)).status_code == 404


def policy_form(client: Client, address: str, **changes: object) -> dict[str, object]:
    """Return what the dialog holds, as a person would send it."""
    fields = client.get(address).context["form"].fields
    shown = {
        name: field.initial
        for name, field in fields.items()
        if field.initial is not None and field.initial is not False
    }
    return {**shown, "reason": "It decides on money now.", **changes}


def test_policy_is_changed_with_what_it_was_filled_in(ada: Client, versions: dict[int, ModelVersion]) -> None:
    address = dialog("RegisteredModel.change_policy").address(versions[1].model_id)
    before = parse_policy(RegisteredModel.objects.get().policy, "classification")
    rules = "settings: {primary_metric: {bound: 0.45}}\nwindows:\n- {days: [mon], from: '09:00', to: '16:00'}\n"
    form = policy_form(ada, address, approvals=2, separate_roles="on", rules=rules)
    assert "has another policy" in said(submit(ada, address, **form))
    after = parse_policy(RegisteredModel.objects.get().policy, "classification")
    assert (after.approvals, after.separate_roles, after.stages) == (2, True, before.stages)
    assert after.settings == {"primary_metric": {"bound": 0.45}}
    entry = AuditEntry.objects.get(action="change_policy")
    assert (entry.actor, entry.reason) == ("user:ada", "It decides on money now.")
    # Seen again, it holds what was written.
    again = policy_form(ada, address)
    assert "bound: 0.45" in str(again["rules"])
    assert again["approvals"] == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"approvals": 11}, "less than or equal to 10"),
        ({"request_expires_hours": 0}, "greater than or equal to 1"),
        ({"gates_production": ["nice"]}, "nice is not one of"),
        ({"rules": "settings: {nice: {max: 1}}"}, "gates with settings are"),
        ({"rules": "colour: red"}, "got colour"),
        ({"rules": "[1, 2]"}, "got [1, 2]"),
        ({"rules": "a: &a [x]\nb: *a"}, "aliases are not read here"),
        ({"rules": "[" * 4000}, "This is not YAML"),
        ({"rules": "settings: {primary_metric: {bound: " + "9" * 5000 + "}}"}, "This is not YAML"),
        ({"rules": "x" * 9000}, "at most 8000 characters"),
        ({"reason": " "}, "This field is required"),
    ],
)
def test_policy_that_cannot_be_used_is_refused_at_its_input(
    ada: Client, versions: dict[int, ModelVersion], changes: dict[str, object], why: str
) -> None:
    address = dialog("RegisteredModel.change_policy").address(versions[1].model_id)
    before = RegisteredModel.objects.get().policy
    answer = submit(ada, address, **policy_form(ada, address, **changes))
    assert why in answer.context["form"].errors.as_json()
    assert RegisteredModel.objects.get().policy == before


def test_policy_somebody_else_changed_meanwhile_is_not_overwritten(
    ada: Client, versions: dict[int, ModelVersion]
) -> None:
    address = dialog("RegisteredModel.change_policy").address(versions[1].model_id)
    form = policy_form(ada, address, approvals=3)
    change_policy("late-arrivals", {"approvals": 1}, actor="cli:root")
    assert "was changed since you looked" in said(submit(ada, address, **form))
    assert RegisteredModel.objects.get().policy["approvals"] == 1
    assert AuditEntry.objects.filter(action="change_policy_refused").exists()
