"""The first person who can sign in."""

import pytest
from django.contrib.auth.models import User

from models_store.models import AuditEntry
from predictions.actions.ensure_admin import ensure_admin

pytestmark = pytest.mark.django_db


def test_admin_is_made_with_the_role_and_the_password():
    assert ensure_admin("root", "a long enough password", actor="system")
    user = User.objects.get(username="root")
    assert user.is_superuser
    assert user.check_password("a long enough password")
    assert list(user.groups.values_list("name", flat=True)) == ["admin"]
    (entry,) = AuditEntry.objects.all()
    assert (entry.actor, entry.action, entry.object_id) == ("system", "add_user", "root")
    assert "long enough" not in str(entry.after)


def test_existing_admin_keeps_the_password():
    ensure_admin("root", "the first password", actor="system")
    assert not ensure_admin("root", "another password", actor="system")
    assert User.objects.get(username="root").check_password("the first password")
