"""Accounts, roles, schedules and tokens: the framework's forms explain each input, and what they write is audited."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.forms import BaseForm
from django.test import Client, RequestFactory
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

import mlsite.urls  # noqa: F401  (registers the pages)
from mlsite.console.stock import StockPage
from models_store.actions.verify_audit import verify_audit
from models_store.models import AuditEntry

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]
PASSWORD = "a longer horse"


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", password="correct horse")


@pytest.fixture
def console(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


def send(console: Client, page: str, *args: Any, **fields: Any) -> Any:
    return console.post(reverse(f"admin:{page}", args=args), fields)


def entries() -> list[AuditEntry]:
    return list(AuditEntry.objects.order_by("id"))


def test_account_is_audited_from_its_making_to_its_end(console: Client) -> None:
    made = send(
        console, "auth_user_add", username="eve", usable_password="true", password1=PASSWORD, password2=PASSWORD
    )
    assert made.status_code == 302
    eve, promoters = User.objects.get(username="eve"), Group.objects.get_or_create(name="promoter")[0]
    send(console, "auth_user_change", eve.pk, username="eve", is_staff="on", groups=promoters.pk)
    send(console, "auth_user_password_change", eve.pk, password1=f"{PASSWORD}!", password2=f"{PASSWORD}!")
    send(console, "auth_user_delete", eve.pk, post="yes")
    added, changed, password, deleted = entries()
    assert [e.action for e in (added, changed, password, deleted)] == [
        "add_user",
        "change_user",
        "change_user",
        "delete_user",
    ]
    assert {(e.actor, e.object_type, e.object_id) for e in entries()} == {("user:root", "user", "eve")}
    assert (changed.before["groups"], changed.after["groups"]) == ([], ["promoter"])
    assert "username" not in changed.after
    assert password.after == {"password": "changed"}
    assert "pbkdf2" not in json.dumps([[e.before, e.after] for e in entries()])
    assert verify_audit().ok


def test_form_that_is_refused_is_audited_and_changes_nothing(console: Client) -> None:
    answer = send(console, "auth_user_add", username="eve", usable_password="true", password1="x", password2="y")
    assert answer.status_code == 200
    assert not User.objects.filter(username="eve").exists()
    (entry,) = entries()
    assert (entry.action, entry.actor) == ("request_refused", "user:root")
    assert "password2" in entry.after["error"]


def test_list_actions_are_audited_for_each_row(console: Client) -> None:
    every = IntervalSchedule.objects.create(every=1, period="days")
    tasks = [PeriodicTask.objects.create(name=name, task="pipeline.start_run", interval=every) for name in "ab"]
    chosen = [task.pk for task in tasks]
    send(console, "django_celery_beat_periodictask_changelist", action="disable_tasks", _selected_action=chosen)
    assert [(e.action, e.object_id[:1]) for e in entries()] == [("disable_tasks", "a"), ("disable_tasks", "b")]
    send(
        console,
        "django_celery_beat_periodictask_changelist",
        action="delete_selected",
        _selected_action=chosen[:1],
        post="yes",
    )
    assert [task.name for task in PeriodicTask.objects.all()] == ["b"]
    assert [(e.action, e.before["name"]) for e in entries()[2:]] == [("delete_periodictask", "a")]


def test_deed_that_cannot_be_audited_does_not_happen(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.ground.audit._recorders", [])
    with pytest.raises(RuntimeError, match="no audit chain"):
        send(console, "auth_group_add", name="friends")
    assert not Group.objects.filter(name="friends").exists()


def writable(root: User) -> Iterator[Any]:
    """Yield every page whose form changes rows."""
    request = RequestFactory().get("/admin/")
    request.user = root
    for page in admin.site._registry.values():
        if (
            page.has_add_permission(request)
            or page.has_change_permission(request)
            or page.has_delete_permission(request)
        ):
            yield page, request


def forms(root: User) -> Iterator[tuple[str, BaseForm | type[BaseForm]]]:
    """Yield every stock form, empty and of a row; the console's own are looked at where dialogs are."""
    for page, request in writable(root):
        for row in (None, page.model()):
            name = f"{page.model.__name__} {'new' if row is None else 'change'}"
            yield name, page.get_form(request, row, change=row is not None)
    yield "User password", admin.site._registry[User].change_password_form


def test_every_page_that_writes_by_a_form_is_audited(root: User) -> None:
    pages = [page for page, _ in writable(root)]
    assert {"User", "Group", "PeriodicTask", "TOTPDevice"} <= {page.model.__name__ for page in pages}
    assert [page.model.__name__ for page in pages if not isinstance(page, StockPage)] == []


def test_every_input_says_what_it_is_for(root: User) -> None:
    seen, silent = set(), []
    for name, form in forms(root):
        seen.add(name)
        silent += [
            f"{name}: {key}"
            for key, field in form.base_fields.items()
            if not field.help_text and not field.widget.is_hidden
        ]
    assert {"User new", "User password", "Group change", "PeriodicTask change", "CrontabSchedule new"} <= seen
    assert silent == []
