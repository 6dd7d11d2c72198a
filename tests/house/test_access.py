"""Nobody gets in without a token: every address with every method, save a short list."""

import pytest
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
    "/api/v1/token": {"POST", "OPTIONS"},  # asks for a password
    "/api/v1/token/refresh": {"POST", "OPTIONS"},  # asks for a refresh token
    "/api/v1/token/revoke": {"POST", "OPTIONS"},  # the same
    "/admin/logout/": set(METHODS),  # ends a session, where there is one
    "/admin/login/": {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"},  # a form; answers any method with it
}


def is_sent_to_sign_in(response) -> bool:
    return response.status_code == 302 and response.get("Location", "").startswith(("/admin/login/", "/admin/?next="))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", METHODS)
def test_every_address_is_closed_without_a_token(method):
    client = Client(raise_request_exception=False)
    entered = {}
    for written, address, _ in walk():
        response = client.generic(method, address, b"{}", content_type="application/json")
        if method in OPEN.get(written, ()) or response.status_code in REFUSED or is_sent_to_sign_in(response):
            continue
        entered[written] = response.status_code
    assert entered == {}


@pytest.mark.django_db(transaction=True)
def test_every_refusal_outside_the_console_is_json():
    client = Client(raise_request_exception=False)
    other = {}
    for written, address, _ in walk():
        for method in METHODS:
            response = client.generic(method, address, b"{}", content_type="application/json")
            kind = response.get("Content-Type", "").split(";")[0]
            silent = method in ("HEAD", "TRACE")
            if (
                response.status_code >= 400
                and not written.startswith("/admin/")
                and not silent
                and kind != "application/json"
            ):
                other[f"{method} {written}"] = kind
    assert other == {}


def test_open_addresses_all_exist():
    assert sorted(OPEN.keys() - {written for written, _, _ in walk()}) == []
