"""Lists: counted, taken away as files, and with filters and a search."""

import csv
import io
import json
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from features.models import Dataset
from models_store.models import ModelVersion
from pipeline.models import Run
from tests.mlsite.test_console_pages import DRESSED, TABLES, address


def table_of(model: Any) -> str:
    return model._meta.label_lower.replace(".", "_")


def exported(client: Client, model: Any, **query: str) -> HttpResponse:
    return client.get(reverse("console-export", args=[table_of(model)]), query)


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()


@pytest.mark.parametrize("model", [*TABLES, *DRESSED], ids=lambda model: model.__name__)
def test_every_list_is_counted_and_taken_away_as_csv_and_json(console: Client, model: Any) -> None:
    page = console.get(address(model, "changelist"))
    shown = page.context["cl"].result_count
    assert f'<span class="c-tools__count">{shown:,} ' in page.content.decode()
    rows = list(csv.reader(io.StringIO(text(exported(console, model, format="csv")))))
    objects = json.loads(text(exported(console, model, format="json")))
    assert len(rows) - 1 == len(objects) == shown
    assert all(list(found) == rows[0] for found in objects)
    assert not {"password", "token", "packed"} & set(rows[0])


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_every_list_has_filters_and_a_search(console: Client, model: Any) -> None:
    page = admin.site._registry[model]
    assert page.search_fields
    assert page.list_filter
    # What an empty one says.
    assert page.next_command.startswith("manage.py ")


def test_export_holds_what_search_and_filters_show(console: Client) -> None:
    rows = json.loads(text(exported(console, Run, format="json", state__exact="failed", q="unknown_file")))
    assert [(row["state"], row["error_code"]) for row in rows] == [("failed", "unknown_file")]
    versions = json.loads(text(exported(console, ModelVersion, format="json", o="-1")))
    assert [row["model"] for row in versions] == ["late-arrivals"] * 3


def test_cell_that_a_spreadsheet_would_compute_is_quoted(console: Client) -> None:
    Dataset.objects.create(name="sheet", description='=HYPERLINK("http://x")', schema=[])
    rows = list(csv.DictReader(io.StringIO(text(exported(console, Dataset, q="sheet")))))
    assert [row["description"] for row in rows] == ['\'=HYPERLINK("http://x")']


@pytest.mark.parametrize(
    ("query", "status"), [({"format": "xlsx"}, 400), ({"nothing__here": "1"}, 400), ({"state__exact": "\x00"}, 200)]
)
def test_export_that_makes_no_sense_is_refused(console: Client, query: dict[str, str], status: int) -> None:
    assert exported(console, Run, **query).status_code == status


def test_export_of_no_list_or_without_a_role_is_refused(console: Client, client: Client) -> None:
    assert console.get(reverse("console-export", args=["auth_permission"])).status_code == 404
    client.force_login(User.objects.create_user("eve", is_staff=True))
    assert exported(client, Run).status_code == 403
    assert client.post(reverse("console-keep-filter", args=["pipeline_run"]), {"name": "x"}).status_code == 403
