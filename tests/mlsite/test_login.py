"""Guessing the console's passwords is limited, by address and by account."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.predictions.conftest import Configure, configure, serving

__all__ = ["configure", "serving"]
LOGIN = "/admin/login/"


@pytest.fixture
def root(serving: None) -> Iterator[User]:
    return User.objects.create_superuser("root", password="right-horse")


def sign_in(password: str, name: str = "root", address: str = "10.0.0.1") -> Any:
    return Client(REMOTE_ADDR=address).post(LOGIN, {"username": name, "password": password})


def test_the_right_password_after_too_many_wrong_ones_is_refused(root: User, configure: Configure) -> None:
    configure(login_rate_limit="5/hour")
    assert [sign_in("wrong", address=f"10.0.0.{n}").status_code for n in range(5)] == [200] * 5
    answer = sign_in("right-horse", address="10.0.1.1")
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert "Too many tries" in answer.content.decode()
    assert sign_in("right-horse", name=" root ", address="10.0.1.2").status_code == 429


def test_an_address_has_so_many_tries_too(root: User, configure: Configure) -> None:
    configure(login_rate_limit="5/hour")
    assert [sign_in("wrong", name=f"user-{n}").status_code for n in range(6)] == [200] * 5 + [429]


def test_within_the_limit_people_come_in(root: User) -> None:
    assert sign_in("right-horse").status_code == 302


def test_nobody_comes_in_while_tries_can_not_be_counted(root: User, settings: Any, var_dir: Path) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.CACHES = {
        "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"},
    }
    answer = sign_in("right-horse")
    assert answer.status_code == 503
    assert "can&#x27;t be counted" in answer.content.decode()
