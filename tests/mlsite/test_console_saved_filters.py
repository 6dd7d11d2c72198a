"""Filters of a list that a person keeps and comes back to."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from mlsite.actions.saved_filters import MOST, drop_filter, save_filter
from mlsite.errors import BadSavedFilterError
from mlsite.models import SavedFilter

pytestmark = pytest.mark.django_db(transaction=True)


def keep(client: Client, **fields: str) -> Any:
    return client.post(reverse("console-keep-filter", args=["pipeline_run"]), fields)


def said(answer: HttpResponse) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def test_filters_are_kept_for_their_owner_alone_and_dropped(client: Client) -> None:
    client.force_login(User.objects.create_superuser("ada"))
    kept = keep(client, name=" my  failed ", query="state__exact=failed&p=2&q=%3Cb%3E")
    assert kept["Location"] == "/admin/pipeline/run/?state__exact=failed&q=%3Cb%3E"
    page = client.get(kept["Location"]).content.decode()
    assert 'href="?state__exact=failed&amp;q=%3Cb%3E" aria-current="true">my failed</a>' in page
    other = Client()
    other.force_login(User.objects.create_superuser("bob"))
    assert "my failed" not in other.get("/admin/pipeline/run/").content.decode()
    keep(other, name="my failed", drop="1")
    assert SavedFilter.objects.count() == 1
    keep(client, name="my failed", drop="1", query="q=x")
    assert not SavedFilter.objects.exists()


def test_filter_that_cannot_be_kept_is_refused_and_says_why(client: Client) -> None:
    client.force_login(User.objects.create_superuser("ada"))
    assert "a name of 1 to 60 characters is needed" in said(keep(client, name=" ", query="q=x"))
    assert "search or filter the list first" in said(keep(client, name="x", query="?p=3"))
    assert "search or filter the list first" in said(keep(client, name="x", query=f"q={'x' * 3000}"))
    away = keep(client, name="x" * 61, query="//elsewhere.example/")["Location"]
    assert away.startswith("/admin/pipeline/run/?")
    assert not SavedFilter.objects.exists()


def test_number_of_filters_is_bounded_and_a_name_is_replaced() -> None:
    whose = User.objects.create_superuser("ada").pk
    for at in range(MOST):
        save_filter(whose, "pipeline_run", name=f"f{at}", query=f"q={at}")
    with pytest.raises(BadSavedFilterError, match="at most 30 filters"):
        save_filter(whose, "pipeline_run", name="one more", query="q=x")
    assert save_filter(whose, "pipeline_run", name="f0", query="q=y").query == "q=y"
    assert drop_filter(whose, "pipeline_run", name="f0")
    assert not drop_filter(whose, "pipeline_run", name="f0")
