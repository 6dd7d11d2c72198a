"""Verified tokens while the database can't be asked, and while it can."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client
from rest_framework.exceptions import AuthenticationFailed

from predictions import tokens
from tests.mlsite.test_supervisor import wait_for
from tests.predictions.conftest import Configure

MakeToken = Callable[..., str]


@contextmanager
def database_away() -> Iterator[list[str]]:
    """Let every statement of this thread fail as that of a server that is gone; yield those that were tried."""
    tried: list[str] = []

    def fail(execute: Any, sql: str, *_: Any) -> Any:
        tried.append(sql)
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(fail):
        yield tried


def test_a_verified_token_holds_while_the_database_is_away(token: MakeToken, configure: Configure) -> None:
    configure(security__token_cache_s=0.0)
    alice = token()
    tokens.verify_token(alice)
    with database_away() as tried:
        assert tokens.verify_token(alice).name == "user:alice"
        assert len(tried) == 1
        # Asked once, it is not asked again for each request.
        assert {tokens.verify_token(alice).name for _ in range(20)} == {"user:alice"}
        assert len(tried) == 1


def test_no_longer_than_its_grace(token: MakeToken, configure: Configure) -> None:
    configure(security__token_cache_s=0.0, security__token_grace_s=0.0)
    alice = token()
    tokens.verify_token(alice)
    with database_away(), pytest.raises(OperationalError):
        tokens.verify_token(alice)


def test_a_token_nobody_knows_is_told_to_come_again(token: MakeToken) -> None:
    alice = token()
    with database_away():
        answer = Client().get("/api/v1/models", headers={"Authorization": f"Bearer {alice}"})
    assert (answer.status_code, answer["Retry-After"], answer.json()["code"]) == (503, "1", "unavailable")


def test_the_console_says_so_too(serving: None) -> None:
    with database_away():
        answer = Client(raise_request_exception=False).post("/admin/login/", {"username": "a", "password": "b"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert answer.content == b"The database does not answer; try again in a moment."


def test_a_token_in_use_is_verified_again_beside_its_requests(token: MakeToken, configure: Configure) -> None:
    configure(security__token_cache_s=1.0)
    alice = token()
    tokens.verify_token(alice)
    # No request ever asks the database: a thread does.
    ends = time.monotonic() + 2.5
    with database_away() as tried:
        while time.monotonic() < ends:
            assert tokens.verified.get(alice) is not None
            time.sleep(0.02)
    assert tried == []
    # What the thread finds ends the token.
    User.objects.update(is_active=False)
    with database_away() as tried:
        wait_for(lambda: tokens.verified.get(alice) is None, 20)
    assert tried == []
    with pytest.raises(AuthenticationFailed):
        tokens.verify_token(alice)


def test_a_token_holds_while_the_database_hangs(token: MakeToken, configure: Configure) -> None:
    configure(security__token_cache_s=0.1)
    alice = token()
    tokens.verify_token(alice)
    time.sleep(0.15)
    assert tokens.verified.get(alice) is None
    # Asked about in good time, and no answer came.
    tokens.verified._entries[alice].renew_at = tokens.PENDING
    assert tokens.verified.get(alice) is not None
    configure(security__token_grace_s=0.0)
    assert tokens.verified.get(alice) is None
