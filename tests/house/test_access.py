"""Nobody gets in without a token: every address with every method, save a short list."""

import pytest
from django.http import HttpResponse
from django.test import Client

from tests.house.routes import walk

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
REFUSED = {401, 403, 405, 429}
READ = {"GET", "HEAD", "OPTIONS"}

# Open to anyone, with the methods that are.
OPEN = {
    "/": READ,
    "/api/v1/health": READ,
    "/api/v1/health/live": READ,
    "/api/v1/health/ready": READ,
    "/api/v1/metrics": READ,  # a token of its own, by setting
    "/api/v1/schema": READ,
    "/apidocs/": READ,
    "/v2": READ,  # probes and clients of other servers ask these before they say who they are
    "/v2/": READ,
    "/v2/health/live": READ,
    "/v2/health/ready": READ,
    "/ping": READ,
    "/health": READ,
    "/version": READ,
    "/api/v1/token": {"POST", "OPTIONS"},  # asks for a password
    "/api/v1/token/refresh": {"POST", "OPTIONS"},  # asks for a refresh token
    "/api/v1/token/revoke": {"POST", "OPTIONS"},  # the same
    "/admin/logout/": set(METHODS),  # ends a session, where there is one
    "/admin/login/": {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"},  # a form; answers any method with it
}


def is_sent_to_sign_in(response: HttpResponse) -> bool:
    return response.status_code == 302 and response.get("Location", "").startswith(("/admin/login/", "/admin/?next="))


def is_closed(method: str, written: str, response: HttpResponse) -> bool:
    return method in OPEN.get(written, ()) or response.status_code in REFUSED or is_sent_to_sign_in(response)


def is_json_or_console(method: str, written: str, response: HttpResponse) -> bool:
    silent = method in ("HEAD", "TRACE") or response.status_code < 400 or written.startswith("/admin/")
    return silent or response.get("Content-Type", "").split(";")[0] == "application/json"


@pytest.mark.django_db(transaction=True)
def test_every_address_is_closed_without_a_token_and_says_so_in_json():
    client = Client(raise_request_exception=False)
    entered, other = {}, {}
    for written, address, _ in walk():
        for method in METHODS:
            response = client.generic(method, address, b"{}", content_type="application/json")
            if not is_closed(method, written, response):
                entered[f"{method} {written}"] = response.status_code
            if not is_json_or_console(method, written, response):
                other[f"{method} {written}"] = response.get("Content-Type")
    assert entered == {}
    assert other == {}


def test_open_addresses_all_exist():
    assert sorted(OPEN.keys() - {written for written, _, _ in walk()}) == []
