"""Who may do what: every role against every dialog of the console and every route of the API."""

import re
from uuid import uuid4

import jwt
import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client

from features.ground.roles import ADMIN, APPROVER, PROMOTER, READERS, ROLES, USER
from mlsite.config.schema import ROOT
from models_store.models import ModelVersion
from pipeline.models import Run
from predictions.actions.api_keys import new_key
from predictions.actions.ensure_roles import ensure_roles
from tests.mlsite.console_dialogs import dialogs

PROMOTERS, APPROVERS, ADMINS = {PROMOTER, ADMIN}, {APPROVER, ADMIN}, {ADMIN}
# A dialog that is not here fails the test that walks them: say who may open it.
DIALOGS = {
    "ModelVersion.promote": PROMOTERS,
    "ModelVersion.evaluate": PROMOTERS,
    "ModelVersion.change_percent": PROMOTERS,
    "ModelVersion.retire": PROMOTERS,
    "RegisteredModel.roll_back": PROMOTERS,
    "RegisteredModel.write_card": PROMOTERS,
    "RegisteredModel.drill": PROMOTERS,
    "ApiKey.revoke": ADMINS,
    "PromotionRequest.approve": APPROVERS,
    "PromotionRequest.reject": APPROVERS,
    "ModelVersion.retrain": ADMINS,
    "ModelVersion.run_drift": ADMINS,
    "RegisteredModel.change_policy": ADMINS,
    "Dataset.train": ADMINS,
    "Dataset.approve": ADMINS,
    "Dataset.edit_contract": ADMINS,
    "Run.cancel": ADMINS,
    "Run.retry": ADMINS,
}
ROUTE = re.compile(r"^\| (GET|POST) (?P<routes>`/api/v1/[^|]+) \| (?P<who>[^|]+) \|", re.M)
WHO = {"readonly and up": set(READERS), "`allowed_roles`": {USER, ADMIN}}
SAMPLES = {"name": "x", "number": "1", "snapshot_id": "1"}


def member(role: str) -> Client:
    """Return a member of staff who holds one role."""
    ensure_roles(ROLES, promoters=(ADMIN, PROMOTER), approvers=(ADMIN, APPROVER), waivers=(ADMIN,))
    person = User.objects.create_user(f"one-{role}", is_staff=True)
    person.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(person)
    return client


def test_every_dialog_says_who_may_open_it() -> None:
    assert sorted(map(str, dialogs())) == sorted(DIALOGS)


@pytest.mark.parametrize("role", ROLES)
def test_role_opens_its_dialogs_and_no_other(console_site: dict[int, ModelVersion], db: None, role: str) -> None:
    # So that there is a training run to repeat.
    Run.objects.filter(kind="train").update(params={"model": "late-arrivals", "dataset": "flights"})
    new_key("stock", roles=["user"], days=1, actor="cli:tests")
    client, opened = member(role), set()
    for found in dialogs():
        for row in found.model.objects.all():
            address = found.address(row.pk)
            status = client.get(address).status_code
            assert status in (200, 403)
            if status == 200:
                opened.add(str(found))
            else:
                assert client.post(address, {"_form_submitted": "on", "reason": "x"}).status_code == 403
    assert opened == {name for name, roles in DIALOGS.items() if role in roles}


def routes() -> list[tuple[str, str, set[str]]]:
    """Return method, address and roles of each route as the API's page promises them."""
    found = []
    for row in ROUTE.finditer((ROOT / "docs/api.md").read_text()):
        who = row["who"].strip()
        roles = WHO.get(who) or set(who.split(", "))
        if roles <= set(ROLES):
            found += [(row[1], address, roles) for address in re.findall(r"`([^`]+)`", row["routes"])]
    return found


def test_routes_are_read_from_the_page() -> None:
    assert len(routes()) > 20
    assert {method for method, _, _ in routes()} == {"GET", "POST"}


@pytest.mark.parametrize(("method", "route", "roles"), routes(), ids=lambda part: part if isinstance(part, str) else "")
def test_route_lets_in_the_roles_its_page_names(
    client: Client, db: None, method: str, route: str, roles: set[str]
) -> None:
    address = re.sub(r"{(\w+)}", lambda key: SAMPLES.get(key[1], str(uuid4())), route)
    let_in = set()
    for role in ROLES:
        claims = {"exp": 4_000_000_000, "jti": uuid4().hex, "sub": role, "roles": [role]}
        claims |= {"iss": "mlsite", "aud": "mlsite-api"}
        token = jwt.encode(claims, settings.JWT_SECRET, algorithm="HS256")
        headers = {"Authorization": f"Bearer {token}"}
        answer = client.generic(method, address, b"{}", content_type="application/json", headers=headers)
        assert answer.status_code != 401
        let_in |= set() if answer.status_code == 403 else {role}
    assert let_in == roles
