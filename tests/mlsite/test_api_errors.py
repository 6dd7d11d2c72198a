"""Every error of the API has one shape, and the status its kind says."""

import json

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from django.test import Client, RequestFactory
from django.urls import path
from django_ratelimit.exceptions import Ratelimited
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from features.ground import errors
from mlsite import api
from mlsite.urls import handler400, handler403, handler404, handler500  # noqa: F401 (read by Django from this module)
from predictions.tokens import BearerAuthentication


class StaleError(errors.ConflictError):
    code = "stale"


class Raising(APIView):
    """A view that raises what the test chose."""

    authentication_classes = (BearerAuthentication,)
    permission_classes = ()
    raises: Exception = errors.DomainError("x")

    def post(self, request: Request) -> Response:
        raise self.raises


urlpatterns = [path("raising", Raising.as_view()), path("admin/raising", Raising.as_view())]


def answer_to(error: Exception) -> Response:
    request = RequestFactory().post("/raising", "{}", content_type="application/json")
    request.request_id = "r-1"
    return Raising.as_view(raises=error)(request)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInputError("x"), 400),
        (errors.ForbiddenError("x"), 403),
        (errors.NotFoundError("x"), 404),
        (errors.ConflictError("x"), 409),
        (StaleError("x"), 409),
        (errors.FencedError("x"), 409),
        (errors.TooLargeError("x"), 413),
        (errors.RefusedError("x"), 422),
        (errors.UnavailableError("x"), 503),
        (OperationalError("x"), 503),
        (InterfaceError("x"), 503),
        (RequestDataTooBig("x"), 413),
        (Ratelimited(), 429),
        (Http404(), 404),
        (PermissionDenied(), 403),
        (exceptions.NotAuthenticated(), 401),
        (exceptions.AuthenticationFailed(), 401),
        (exceptions.MethodNotAllowed("PUT"), 405),
        (exceptions.UnsupportedMediaType("text/x"), 415),
        (exceptions.NotAcceptable(), 406),
        (exceptions.ParseError(), 400),
        (exceptions.ValidationError({"a": ["b"]}), 400),
    ],
)
def test_status_follows_the_kind_of_error(error, status):
    response = answer_to(error)
    body = json.loads(response.content)
    assert response.status_code == status
    assert body["request_id"] == "r-1"
    assert body.keys() >= {"error", "code"}
    assert body.keys() <= {"error", "code", "fields", "request_id"}


def test_own_error_keeps_code_text_and_fields():
    response = answer_to(StaleError("version 2 is gone", version=2))
    assert json.loads(response.content) == {
        "error": "version 2 is gone",
        "code": "stale",
        "fields": {"version": 2},
        "request_id": "r-1",
    }


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (exceptions.NotAuthenticated(), "Authorization token required", "not_authenticated"),
        (exceptions.AuthenticationFailed(), "Invalid token", "invalid_token"),
        (exceptions.ValidationError("x"), "Invalid request data", "invalid_input"),
        (exceptions.ParseError("x"), "Invalid request data", "invalid_input"),
        (exceptions.Throttled(wait=3), "Too many requests: slow down and try again", "rate_limited"),
    ],
)
def test_contract_texts(error, text, code):
    body = json.loads(answer_to(error).content)
    assert (body["error"], body["code"]) == (text, code)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(errors.UnavailableError("x"), "1"), (exceptions.Throttled(wait=2.2), "3"), (Ratelimited(), "60")],
)
def test_come_back_later_says_when(error, seconds):
    assert answer_to(error)["Retry-After"] == seconds


def test_number_that_json_lacks_becomes_its_name():
    body = json.loads(answer_to(StaleError("x", got=float("nan"), limits=[float("inf"), 1.0])).content)
    assert body["fields"] == {"got": "NaN", "limits": ["Infinity", 1.0]}


def test_database_error_does_not_show_its_text():
    body = json.loads(answer_to(OperationalError("connection to 10.0.0.7 failed")).content)
    assert body["error"] == "The database does not answer; try again in a moment"


def test_a_body_that_ended_early_is_no_fault_of_ours():
    response = answer_to(UnreadablePostError())
    assert response.status_code == 400
    assert json.loads(response.content)["fields"] == {"detail": "The client went away before the whole body was there"}


def test_bug_is_left_to_the_server():
    with pytest.raises(ZeroDivisionError):
        answer_to(ZeroDivisionError())


def test_every_kind_of_error_has_a_status():
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.DomainError)}
    assert set(api.STATUSES) == kinds


def test_bug_answers_500_in_json(monkeypatch, settings):
    settings.ROOT_URLCONF = __name__
    monkeypatch.setattr(Raising, "raises", ZeroDivisionError("secret detail"))
    response = Client(raise_request_exception=False).post("/raising")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "secret detail" not in response.content.decode()


def test_unknown_address_answers_404_in_json(settings):
    settings.ROOT_URLCONF = __name__
    response = Client().get("/nothing", headers={"X-Request-ID": "mine-1"})
    assert (response.status_code, response["Content-Type"]) == (404, "application/json")
    assert response.json() == {
        "error": "Nothing is here; / lists where to start",
        "code": "not_found",
        "request_id": "mine-1",
    }


def test_foreign_host_answers_400_in_json(settings):
    settings.ROOT_URLCONF = __name__
    response = Client().get("/nothing", headers={"Host": "evil.example"})
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")


def test_unknown_address_of_the_console_answers_a_page(settings):
    settings.ROOT_URLCONF = __name__
    response = Client().get("/admin/nothing")
    assert (response.status_code, response["Content-Type"].split(";")[0]) == (404, "text/html")


def test_forged_form_outside_the_console_answers_403_in_json():
    response = api.csrf_failure(RequestFactory().post("/x"), reason="no cookie")
    assert (response.status_code, json.loads(response.content)["code"]) == (403, "csrf_failed")


def test_forged_form_of_the_console_answers_a_page():
    response = api.csrf_failure(RequestFactory().post("/admin/x"), reason="no cookie")
    assert (response.status_code, response["Content-Type"].split(";")[0]) == (403, "text/html")
