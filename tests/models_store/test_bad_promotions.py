"""What can't be asked is refused alike at each door: said clearly, nothing changed, the refusal audited."""

from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from features.ground.errors import DomainError
from features.ground.paths import var_path
from models_store.actions.approve import approve
from models_store.actions.promote import promote
from models_store.models import Approval, AuditEntry, ModelVersion, RegisteredModel, Waiver
from tests.models_store.made import GOOD, made
from tests.models_store.people import account, ask, overdue, stages, waiting
from tests.models_store.test_promotion_api import post

WORSE = {**GOOD, "test": {**GOOD["test"], "calibration_error": 0.9}}
ROLES = {"pam": "promoter", "apu": "approver", "ann": "approver"}


@dataclass(frozen=True, kw_only=True)
class Deed:
    """What somebody asks: of a version, or of a request."""

    who: str = "pam"
    spec: str = "flights@1"
    request: int = 0
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def asked(self) -> dict[str, Any]:
        return {"reason": "why not"} | ({} if self.request else {"target_stage": "production"}) | self.body


def by_cli(deed: Deed) -> tuple[str, str]:
    options = {"target_stage": "--stage", "expected_generation": "--expected-generation", "reason": "--reason"}
    words = [f"{options[key]}={value}" for key, value in deed.asked.items() if key in options]
    words += [f"--waive={gate}={why}" for gate, why in deed.asked.get("waive", {}).items()]
    command = ("approve", str(deed.request)) if deed.request else ("promote", deed.spec)
    with pytest.raises(DomainError) as refused:
        call_command(*command, *words, "--actor", f"user:{deed.who}")
    return refused.value.code, refused.value.message


def by_api(deed: Deed) -> tuple[str, str]:
    name, _, number = deed.spec.partition("@")
    address = (
        f"/api/v1/promotions/{deed.request}/approve"
        if deed.request
        else f"/api/v1/models/{quote(name, safe='')}/versions/{number}/promote"
    )
    answer = post(address, deed.who, ROLES[deed.who], deed.asked)
    assert 400 <= answer.status_code < 500
    found = answer.json()
    return found["code"], f"{found['error']} {found.get('fields', '')}"


def by_console(deed: Deed) -> tuple[str, str]:
    client = Client()
    client.force_login(User.objects.get(username=deed.who))
    name, _, number = deed.spec.partition("@")
    pk = ModelVersion.objects.filter(model__name=name, number=number).values_list("pk", flat=True).first() or 999
    label = "promotionrequest_approve" if deed.request else "modelversion_promote"
    generation = RegisteredModel.objects.values_list("generation", flat=True).first()
    form = {"_form_submitted": "on", "expected_generation": generation, **deed.asked}
    answer = client.post(reverse(f"admin:models_store_{label}", args=[deed.request or pk]), form)
    if answer.status_code in (403, 404):
        return {403: "forbidden", 404: "not_found"}[answer.status_code], str(answer.status_code)
    if answer.status_code == 200:
        return "invalid_input", unescape(answer.content.decode())
    return "said", " ".join(map(str, get_messages(answer.wsgi_request)))


DOORS = {"cli": by_cli, "api": by_api, "console": by_console}


def live() -> Deed:
    made()
    ask()
    return Deed()


def archived() -> Deed:
    made()
    made()
    ask()
    ask("flights@2")
    return Deed()


def rejected() -> Deed:
    made()
    promote("flights@1", target_stage="rejected", reason="no", actor="user:ann")
    return Deed()


def artefact_gone() -> Deed:
    version = made()
    for file in var_path("artefacts", version.manifest_digest).iterdir():
        file.unlink()
    return Deed()


def of_another_model() -> Deed:
    made()
    made()
    made("delays")
    return Deed(spec="delays@2")


def own_request() -> Deed:
    number = waiting()
    account("ann", "approver")
    return Deed(who="ann", request=number)


def twice() -> Deed:
    number = waiting(2)
    approve(number, actor="user:apu")
    return Deed(who="apu", request=number)


def after_expiry() -> Deed:
    number = waiting()
    overdue(number)
    return Deed(who="apu", request=number)


def stale() -> Deed:
    made()
    made()
    ask("flights@2")
    return Deed(body={"expected_generation": 0})


def waiving() -> Deed:
    made(metrics=WORSE)
    return Deed(body={"waive": {"calibration_error": "it is late"}})


def reasoned(reason: str) -> Callable[[], Deed]:
    def arrange() -> Deed:
        made()
        return Deed(body={"reason": reason})

    return arrange


def named(name: str) -> Callable[[], Deed]:
    def arrange() -> Deed:
        made()
        return Deed(spec=f"{name}@1")

    return arrange


NOT_OFFERED = ("forbidden", "403")
# The console names what is there by its row, so there is nothing to refuse.
NO_PAGE = ("not_found", "404")
CASES: dict[str, tuple[Callable[[], Deed], dict[str, tuple[str, str]]]] = {
    "live already": (live, {"*": ("already_there", "already production"), "console": NOT_OFFERED}),
    "archived": (archived, {"*": ("move_not_allowed", "only a rollback"), "console": NOT_OFFERED}),
    "rejected": (rejected, {"*": ("move_not_allowed", "is rejected"), "console": NOT_OFFERED}),
    "artefact gone": (artefact_gone, {"*": ("gate_failed", "artefact_verified"), "console": ("said", "artefact_")}),
    "of another model": (of_another_model, {"*": ("unknown_version", "no version 2"), "console": NO_PAGE}),
    "own request": (own_request, {"*": ("own_request", "somebody else"), "console": NOT_OFFERED}),
    "twice": (twice, {"*": ("already_decided", "approved request"), "console": ("said", "approved request")}),
    "after expiry": (after_expiry, {"*": ("request_expired", "expired"), "console": ("said", "expired")}),
    "stale form": (stale, {"*": ("promotion_conflict", "it is 1 now"), "console": ("said", "it is 1 now")}),
    "waiving without the right": (
        waiving,
        {"*": ("right_missing", "may not waive"), "console": ("said", "calibration")},
    ),
    "no reason": (
        reasoned(" "),
        {
            "cli": ("bad_promotion", "a reason of 1 to 2000 characters"),
            "api": ("invalid_input", "may not be blank"),
            "console": ("invalid_input", "This field is required"),
        },
    ),
    "reason of 100 kB": (
        reasoned("x" * 100_000),
        {
            "cli": ("bad_promotion", "got 100000"),
            "api": ("invalid_input", "no more than 2000"),
            "console": ("invalid_input", "at most 2000 characters (it has 100000)"),
        },
    ),
    "name with HTML": (named("<script>"), {"*": ("bad_spec", "<script>"), "console": NO_PAGE}),
    "name with a path": (named(".."), {"*": ("bad_spec", ".."), "console": NO_PAGE}),
}


def everything() -> list[Any]:
    """Return what a refused deed must leave as it is."""
    return [
        stages(),
        list(RegisteredModel.objects.order_by("pk").values("generation", "canary_percent", "policy", "purpose")),
        list(Approval.objects.values_list("approver", "approved")),
        list(Waiver.objects.values_list("gate", flat=True)),
    ]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("case", CASES)
def test_refusal_is_said_changes_nothing_and_is_audited(store, case, door):
    account("pam", "promoter")
    account("apu", "approver")
    arrange, expected = CASES[case]
    deed = arrange()
    before, last = everything(), AuditEntry.objects.latest("id").pk
    code, text = expected.get(door) or expected["*"]
    got, said = DOORS[door](deed)
    assert got == code
    assert text in said
    assert everything() == before
    entries = AuditEntry.objects.filter(pk__gt=last, actor=f"user:{deed.who}", action__endswith="_refused")
    assert entries.exists() or code == NO_PAGE[0]
