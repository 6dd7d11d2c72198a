"""Tokens: given for a password, renewed once, revoked, and not to be guessed."""

from typing import Any

import jwt
import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client

from predictions.tokens import verify_token
from tests.predictions.conftest import Configure

ODD: list[dict[str, Any]] = [
    *({"exp": value} for value in (10**400, "9" * 300, 10**13, None)),
    *({"user_id": value} for value in (float("inf"), [1], "x")),
    *({"jti": value} for value in (None, "x" * 3000)),
    {"iat": 10**30},
    {"token_type": ["refresh"]},
    {"roles": 7},
]


@pytest.fixture
def alice(serving: None) -> User:
    user = User.objects.create_user("alice", password="right-horse")
    user.groups.add(Group.objects.get(name="user"), Group.objects.create(name="unrelated"))
    return user


def post(path: str, body: Any, **headers: str) -> Any:
    return Client().post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def sign_in(password: str = "right-horse", **headers: str) -> Any:
    return post("token", {"username": "alice", "password": password}, **headers)


def claims(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, settings.JWT_SECRET, algorithms=["HS256"], audience="mlsite-api"))


def test_a_password_gives_a_pair_with_roles_issuer_and_audience(alice: User) -> None:
    pair = sign_in().json()
    found = claims(pair["access"])
    assert found["roles"] == ["user"]
    assert (found["iss"], found["aud"], found["token_type"]) == ("mlsite", "mlsite-api", "access")
    assert verify_token(pair["access"]).name == "user:alice"
    assert claims(pair["refresh"])["token_type"] == "refresh"


def test_a_superuser_is_an_admin(alice: User) -> None:
    User.objects.update(is_superuser=True)
    assert claims(sign_in().json()["access"])["roles"] == ["admin", "user"]


def test_a_wrong_password_is_401_and_says_no_more(alice: User) -> None:
    response = sign_in("wrong")
    assert response.status_code == 401
    assert response.json()["error"] == "Wrong username or password"
    assert response.json()["code"] == "wrong_credentials"


def test_a_refresh_token_works_once_and_takes_the_roles_of_now(alice: User) -> None:
    refresh = sign_in().json()["refresh"]
    alice.groups.set([Group.objects.get(name="readonly")])
    renewed = post("token/refresh", {"refresh": refresh})
    assert claims(renewed.json()["access"])["roles"] == ["readonly"]
    again = post("token/refresh", {"refresh": refresh})
    assert again.status_code == 401
    assert again.json()["error"] == "Invalid token"


@pytest.mark.parametrize("route", ["refresh", "revoke"])
@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_refresh_token_with_odd_claims_is_no_error_of_ours(alice: User, route: str, odd: dict[str, Any]) -> None:
    said = {**claims(sign_in().json()["refresh"]), **odd}
    kept = {name: value for name, value in said.items() if value is not None}
    token = jwt.encode(kept, settings.JWT_SECRET)
    response = post(f"token/{route}", {"refresh": token})
    assert response.status_code in (200, 400, 401), response.content
    assert response.status_code == 401 or odd.keys() & {"roles", "user_id", "jti"}


def test_a_revoked_refresh_token_is_worthless(alice: User) -> None:
    refresh = sign_in().json()["refresh"]
    assert post("token/revoke", {"refresh": refresh}).status_code == 200
    assert post("token/refresh", {"refresh": refresh}).status_code == 401


def test_a_refresh_token_of_a_user_who_is_gone_is_401(alice: User) -> None:
    refresh = sign_in().json()["refresh"]
    alice.delete()
    assert post("token/refresh", {"refresh": refresh}).status_code == 401


@pytest.mark.parametrize("body", [{"refresh": "nonsense"}, {"refresh": 3}])
def test_nonsense_is_no_refresh_token(serving: None, body: Any) -> None:
    assert post("token/refresh", body).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"",
        b"{",
        b'{"username": "\\ud800", "password": "x"}',
        b'{"username": "a\\u0000b", "password": "x"}',
        b"3",
    ],
)
def test_a_malformed_request_is_400(serving: None, body: bytes) -> None:
    response = post("token", body)
    assert response.status_code == 400
    assert response.json()["error"] == "Invalid request data"


def test_guessing_is_limited_by_address_and_by_account(alice: User, configure: Configure) -> None:
    configure(token_rate_limit="2/hour")
    assert [sign_in("wrong").status_code for _ in range(2)] == [401, 401]
    refused = sign_in()
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 3600
    configure(server__trusted_proxies=["127.0.0.1"])
    bob = {"username": "bob", "password": "wrong"}
    found = [post("token", bob, **{"X-Forwarded-For": f"1.1.1.1, 10.0.0.{n}"}).status_code for n in range(3)]
    assert found == [401, 401, 429]


def test_spaces_around_a_name_make_no_new_account(alice: User, configure: Configure) -> None:
    configure(token_rate_limit="2/hour", server__trusted_proxies=["127.0.0.1"])
    found = []
    for number in range(3):
        body = {"username": " " * number + "alice", "password": "wrong"}
        found.append(post("token", body, **{"X-Forwarded-For": f"10.0.1.{number}"}).status_code)
    assert found == [401, 401, 429]


def test_the_limit_can_be_off(alice: User, configure: Configure) -> None:
    configure(token_rate_limit="off")
    assert {sign_in("wrong").status_code for _ in range(12)} == {401}


def test_no_token_is_given_while_tries_can_not_be_counted(alice: User, settings: Any, configure: Configure) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": settings.REDIS_URL}}
    response = sign_in()
    assert response.status_code == 503
    assert response.json()["code"] == "limiter_unavailable"
