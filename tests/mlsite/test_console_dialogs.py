"""What acts is a dialog: looking at one writes nothing, and every input is explained."""

from typing import Any

import pytest
from django import forms
from django.db import connection
from django.test import Client

from pipeline.admin.uploads import UploadForm
from pipeline.models import Run
from predictions.admin.keys import NewKeyForm
from tests.mlsite.console_dialogs import Dialog, dialogs

DIALOGS = list(dialogs())
# Evaluating gates decides nothing, and a word of approval may be given without more words.
NEED_NO_REASON = {"ModelVersion.evaluate", "PromotionRequest.approve"}


def test_walk_finds_the_dialogs() -> None:
    found = set(map(str, DIALOGS))
    assert {"ModelVersion.promote", "ModelVersion.retrain", "Dataset.train", "Run.cancel", "Run.retry"} <= found
    assert {"RegisteredModel.roll_back", "PromotionRequest.reject", "ModelVersion.change_percent"} <= found


@pytest.mark.parametrize("found", DIALOGS, ids=str)
def test_looking_at_a_dialog_writes_nothing(console: Client, found: Dialog) -> None:
    statements: list[str] = []

    def watch(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    opened = 0
    # So that there is a training run to repeat.
    Run.objects.filter(kind="train").update(params={"model": "late-arrivals", "dataset": "flights"})
    with connection.execute_wrapper(watch):
        for row in found.model.objects.all():
            # What a POST would say, said by a GET.
            asked = {"_form_submitted": "on", "reason": "x", "target_stage": "production", "expected_generation": 2}
            answer = console.get(found.address(row.pk), asked)
            assert answer.status_code in (200, 403)
            opened += answer.status_code == 200
    assert opened or found.name in ("approve", "reject")
    assert not [sql for sql in statements if not sql.startswith(("SELECT", "SAVEPOINT", "RELEASE"))]


@pytest.mark.parametrize("found", DIALOGS, ids=str)
def test_dialog_asks_for_a_reason(found: Dialog) -> None:
    reason = found.form.base_fields.get("reason")
    if str(found) in NEED_NO_REASON:
        assert reason is None or not reason.required
    else:
        assert reason.required


@pytest.mark.parametrize("found", DIALOGS, ids=str)
def test_every_input_of_a_dialog_is_explained(found: Dialog) -> None:
    shown = {name: field for name, field in found.form.base_fields.items() if not field.widget.is_hidden}
    assert [name for name, field in shown.items() if not field.help_text] == []
    assert all(isinstance(field, forms.Field) for field in shown.values())


@pytest.mark.parametrize("form", [UploadForm, NewKeyForm], ids=lambda form: form.__name__)
def test_every_input_of_a_page_is_explained(form: type[forms.Form]) -> None:
    assert [name for name, field in form.base_fields.items() if not field.help_text] == []


@pytest.mark.parametrize("found", DIALOGS, ids=str)
@pytest.mark.parametrize("number", ["0", "x", "999999999999999999999", "<b>"])
def test_dialog_of_nothing_is_refused(console: Client, found: Dialog, number: str) -> None:
    address = found.address(0).replace("/0/", f"/{number}/")
    assert console.get(address).status_code in (403, 404)
    assert console.post(address, {"_form_submitted": "on", "reason": "x"}).status_code in (403, 404)
