"""Before there is anything to see, the console says what to run."""

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse


def test_empty_dashboard_names_the_next_command(client: Client, db: None) -> None:
    client.force_login(User.objects.create_superuser("grace"))
    page = client.get(reverse("admin:index")).content.decode()
    assert "make run" in page
    assert "manage.py demo" in page
    assert reverse("admin:pipeline_run_upload") in page


def test_empty_list_names_the_next_command(client: Client, db: None) -> None:
    client.force_login(User.objects.create_superuser("grace"))
    page = client.get("/admin/models_store/modelversion/").content.decode()
    assert "No model versions yet" in page
    assert "manage.py train MODEL --dataset DATASET" in page
    assert "Open a dataset, then Train a model" in page


def test_search_that_finds_nothing_offers_to_show_all(client: Client, db: None) -> None:
    client.force_login(User.objects.create_superuser("grace"))
    page = client.get("/admin/pipeline/run/", {"q": "zzz"}).content.decode()
    assert "Nothing matches" in page
    assert "Show all" in page
