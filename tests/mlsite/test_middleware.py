"""What requests to the API are spared, and what nobody is."""

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from mlsite.middleware import API

pytestmark = pytest.mark.django_db
Token = Callable[..., str]


def form(request: HttpRequest) -> HttpResponse:
    """Answer as a view that is no view of the API, and so is not exempt from the check of forms."""
    return HttpResponse("sent")


def whoever(request: HttpRequest) -> HttpResponse:
    """Answer whoever is signed in by a session."""
    return HttpResponse(str(request.user.is_authenticated))


urlpatterns = [path("api/v1/form", form), path("api/v1/whoever", whoever)]


def had(response: Any) -> list[str]:
    """Return what of a session a request had by the end."""
    return [name for name in ("session", "_messages") if hasattr(response.wsgi_request, name)]


@pytest.mark.parametrize("address", ["/api/v1/health/live", "/api/v1/models", "/v2", "/v2/health/live", "/ping"])
def test_a_program_has_no_session_and_a_browser_has_one(client: Client, address: str) -> None:
    spared, whole = client.get(address), client.get(address, headers={"cookie": "theme=dark"})
    assert (had(spared), had(whole)) == ([], ["session", "_messages"])
    assert (spared.status_code, spared.headers.keys()) == (whole.status_code, whole.headers.keys())


@pytest.mark.parametrize("address", ["/admin/login/", "/", "/apidocs/", "/nowhere"])
def test_a_page_has_a_session_without_any_cookie(client: Client, address: str) -> None:
    assert had(client.get(address)) == ["session", "_messages"]


@override_settings(ROOT_URLCONF=__name__)
def test_a_form_without_its_token_is_refused_there_too() -> None:
    client = Client(enforce_csrf_checks=True)
    for headers in ({}, {"cookie": "theme=dark"}):
        assert client.post("/api/v1/form", {"a": "b"}, headers=headers).status_code == 403


@override_settings(ROOT_URLCONF=__name__)
def test_a_view_that_looks_for_a_session_there_fails() -> None:
    client = Client(raise_request_exception=False)
    assert client.get("/api/v1/whoever").status_code == 500
    assert client.get("/api/v1/whoever", headers={"cookie": "theme=dark"}).content == b"False"


def test_no_page_is_at_an_address_of_the_api() -> None:
    assert not any("/admin/".startswith(start) or "/apidocs/".startswith(start) for start in API)


def test_only_the_console_may_evaluate_expressions(client: Client) -> None:
    policies = {at: client.get(at).headers["Content-Security-Policy"] for at in ("/admin/login/", "/apidocs/", "/v2")}
    assert "'unsafe-eval'" in policies["/admin/login/"]
    assert policies["/apidocs/"] == policies["/v2"]
    assert "'unsafe-eval'" not in policies["/v2"]
    assert "default-src 'self'" in policies["/v2"]


@override_settings(DEBUG=True)
def test_pages_about_faults_have_no_policy(client: Client) -> None:
    assert "Content-Security-Policy" not in client.get("/nowhere").headers
    assert "Content-Security-Policy" in client.get("/v2").headers
