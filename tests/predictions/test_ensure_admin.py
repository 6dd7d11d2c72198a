"""The first person who can sign in."""

import pytest
from django.contrib.auth.models import User

from predictions.actions.ensure_admin import ensure_admin

pytestmark = pytest.mark.django_db


def test_admin_is_made_with_the_role_and_the_password():
    assert ensure_admin("root", "a long enough password")
    user = User.objects.get(username="root")
    assert user.is_superuser
    assert user.check_password("a long enough password")
    assert list(user.groups.values_list("name", flat=True)) == ["admin"]


def test_existing_admin_keeps_the_password():
    ensure_admin("root", "the first password")
    assert not ensure_admin("root", "another password")
    assert User.objects.get(username="root").check_password("the first password")
