"""`predict` and `issue_token` from a shell."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command

from models_store.errors import UnknownModelError
from predictions.actions.ensure_roles import ensure_roles
from predictions.errors import InvalidRequestError, RoleNotHeldError, UnknownUserError
from predictions.models import Prediction
from predictions.tokens import verify_token
from tests.predictions.conftest import Configure
from tests.predictions.tiny import RECORD, ROW, register, staged


def run(*args: Any) -> dict[str, Any]:
    out = io.StringIO()
    call_command(*map(str, args), "--json", stdout=out)
    return dict(json.loads(out.getvalue()))


def test_rows_from_the_command_line_are_predicted_and_logged(serving: None) -> None:
    staged()
    answer = run("predict", "tiny", "--json-rows", json.dumps([ROW]))
    assert answer["model"] == {"name": "tiny", "version": 1, "role": "production"}
    row = Prediction.objects.get(pk=answer["prediction_id"])
    assert row.source == "cli"
    assert row.principal.startswith("cli:")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", json.dumps([ROW])),
        ("records.json", json.dumps([RECORD])),
        ("body.json", json.dumps({"data": [ROW]})),
        ("records.jsonl", json.dumps(RECORD) + "\n\n"),
    ],
)
def test_a_file_may_hold_rows_records_a_body_or_lines(serving: None, tmp_path: Path, name: str, content: str) -> None:
    register()
    (tmp_path / name).write_text(content)
    assert len(run("predict", "tiny@1", "--file", tmp_path / name)["predictions"]) == 1


def test_a_file_that_is_not_there_or_too_large_is_refused(serving: None, tmp_path: Path, configure: Configure) -> None:
    staged()
    with pytest.raises(InvalidRequestError, match="can't be read: No such file"):
        run("predict", "tiny", "--file", tmp_path / "gone.json")
    configure(security__max_request_size=1024)
    (tmp_path / "big.json").write_text(" " * 2000)
    with pytest.raises(InvalidRequestError, match="use score for a batch"):
        run("predict", "tiny", "--file", tmp_path / "big.json")


def test_an_unknown_model_is_refused(serving: None) -> None:
    with pytest.raises(UnknownModelError):
        run("predict", "nope", "--json-rows", "[[1]]")


def test_rows_must_be_given(serving: None) -> None:
    with pytest.raises(CommandError, match="required"):
        run("predict", "tiny")


def test_a_token_makes_the_user_in_development(serving: None) -> None:
    issued = run("issue_token", "carol", "--role", "promoter", "--minutes", 5)
    assert issued["role"] == "promoter"
    assert verify_token(issued["token"]).roles == ("promoter",)
    assert [group.name for group in User.objects.get(username="carol").groups.all()] == ["promoter"]


def test_no_user_is_made_outside_development(serving: None, configure: Configure) -> None:
    configure(app_env="prod")
    with pytest.raises(UnknownUserError, match="no active user is named carol"):
        run("issue_token", "carol")
    User.objects.create_user("carol")
    with pytest.raises(RoleNotHeldError, match="carol does not hold the role user"):
        run("issue_token", "carol")


def test_an_inactive_user_gets_no_token(serving: None) -> None:
    User.objects.create_user("carol", is_active=False)
    with pytest.raises(UnknownUserError):
        run("issue_token", "carol")


def test_a_token_holds_as_long_as_the_apis_own_by_default(serving: None) -> None:
    from datetime import UTC, datetime

    left = datetime.fromisoformat(run("issue_token", "carol")["expires_at"]) - datetime.now(UTC)
    assert left.total_seconds() <= settings.CONFIG.security.token_expire_minutes * 60


@pytest.mark.django_db
def test_the_roles_are_there_and_only_some_may_promote() -> None:
    names = ["admin", "promoter", "approver", "user", "readonly"]
    ensure_roles(names, promoters=names[:2], approvers=["admin", "approver"], waivers=["admin"])
    rights = ("promote_modelversion", "approve_promotion", "waive_gate")
    held = {
        group.name: [right for right in rights if group.permissions.filter(codename=right).exists()]
        for group in Group.objects.all()
    }
    assert held == {
        "admin": list(rights),
        "promoter": ["promote_modelversion"],
        "approver": ["approve_promotion"],
        "user": [],
        "readonly": [],
    }
    assert ensure_roles(["user"], promoters=[]) == []
