"""Requests in each dialect to the test client, and the same rows in every form."""

from typing import Any

from django.test import Client

ROWS: list[list[Any]] = [[4.0, 1.5, "red"], [7.5, None, "blue"], [0.1, -3.25, "red"], [99.0, 2e10, "blue"]]
NAMES = ("length", "width", "colour")


def send(token: str, path: str, body: bytes, content_type: str = "application/json", **headers: str) -> Any:
    """Return the answer to a POST; a header's name is written with _ for -."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    auth = {"Authorization": f"Bearer {token}"} if token else {}
    return Client().post(path, body, content_type=content_type, headers={**auth, **given})


def fetch(token: str, path: str) -> Any:
    """Return the answer to a GET."""
    return Client().get(path, headers={"Authorization": f"Bearer {token}"} if token else {})


def column(name: str) -> list[Any]:
    """Return the cells of a column."""
    return [row[NAMES.index(name)] for row in ROWS]
