"""A filled site, made once for the tests that only look at it."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from models_store.models import ModelVersion
from tests.mlsite.console_site import make_site, make_user


@pytest.fixture(scope="module")
def console_site(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[int, ModelVersion]]:
    """Fill every table; tests that use this read, inside a transaction of their own."""
    with django_db_blocker.unblock():
        make_user()
        yield make_site("<h1>Report</h1>")
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def console(console_site: dict[int, ModelVersion], db: None) -> Client:
    """Return a client that is signed in as somebody who may see everything."""
    client = Client()
    client.force_login(User.objects.get(username="ada"))
    return client
