"""The served model as a caller reaches it: the floor above says how; over HTTP it is reached like any server."""

import http.client
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

from models_store.errors import NotServedError

TIMEOUT_S = 30
RATE_LIMITED = 429


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """Which version answered, and what; `held_back` where the caller was only told to come later."""

    version: int = 0
    answer: Any = None
    held_back: bool = False


class Served(Protocol):
    """A model that answers one row at a time; asked from several threads, each waiting `pause_s` in between."""

    @property
    def pause_s(self) -> float: ...

    def ask(self, row: Sequence[Any], number: int | None = None) -> Said:
        """Ask whichever version serves, or one by its number."""
        ...


Reach = Callable[[str], AbstractContextManager[Served]]
"""Opens the served model of a name."""

_reached: list[Reach] = []


def reach_served_with(reach: Reach) -> None:
    """Say how the served model is reached in this process; called once, when the serving app is ready."""
    _reached[:] = [reach]


def served_here(model: str) -> AbstractContextManager[Served]:
    """Open the engine of this process."""
    if not _reached:
        raise NotServedError("nothing serves in this process: the serving app is not installed")
    return _reached[0](model)


def served_at(url: str, token: str) -> Reach:
    """Return how to open the models of a running server."""
    return partial(_over_http, url, token)


@contextmanager
def _over_http(url: str, token: str, model: str) -> Iterator[Served]:
    yield _HttpServed(url, token, model)


@dataclass(frozen=True, slots=True)
class _HttpServed:
    url: str
    token: str
    model: str
    # With two callers some fifty requests in a drill: within the hundred a minute a caller has by default.
    pause_s: float = 0.2

    def ask(self, row: Sequence[Any], number: int | None = None) -> Said:
        """Send one predict request on a connection of its own, as most callers do."""
        pinned = "" if number is None else f"/versions/{number}"
        path = f"/api/v1/models/{self.model}{pinned}/predict"
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        at = urlsplit(self.url)
        kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
        connection = kind(at.netloc, timeout=TIMEOUT_S)
        try:
            connection.request("POST", at.path.rstrip("/") + path, json.dumps({"data": [row]}), headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise NotServedError(f"{self.url} gave no answer: {error!r}") from error
        finally:
            connection.close()
        if response.status == RATE_LIMITED:
            return Said(held_back=True)
        if response.status != http.HTTPStatus.OK:
            raise NotServedError(f"{self.url}{path} answered {response.status}: {body[:200].decode(errors='replace')}")
        found = json.loads(body)
        return Said(version=int(found["model"]["version"]), answer=[found["predictions"], found.get("probabilities")])
