"""The lane and Django's view, each served alone over real HTTP, answer hundreds of requests alike."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from django.conf import settings

from tests.predictions.contract import Ask, asks
from tests.served import DJANGO, LANE, Site, copied_site

# One process starts the site for all of them.
pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("contract")]
# What differs between two answers to the same request.
OWN_TO_EACH = re.compile(rb'"(?:prediction_id|timestamp)":\s?"[^"]*"|"request_id":\s?"[0-9a-f]{32}"')
# Whether a connection is kept after a body nobody read is a matter of time.
HEADERS_OF_EACH = ("connection", "date", "x-ratelimit-remaining", "x-ratelimit-reset")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    # Without a seed the directives of a policy stand in another order in each process.
    return copied_site(tmp_path_factory, RATE_LIMIT="100000/hour", PYTHONHASHSEED="0")


@pytest.fixture(scope="module")
def edges(site: Site) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    with ExitStack() as stack:
        servers = [stack.enter_context(site.served(application)) for application in (LANE, DJANGO)]
        lane, django = (stack.enter_context(httpx.Client(base_url=server.base, timeout=60)) for server in servers)
        yield lane, django


def answered(client: httpx.Client, site: Site, ask: Ask) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body, without what is each answer's own."""
    auth = {"Authorization": f"Bearer {site.tokens[ask.role]}"} if ask.role else {}
    # A body too large is not read: its connection may be closed just as the next request goes out on it.
    last = {"Connection": "close"} if len(ask.body) > settings.CONFIG.security.max_request_size else {}
    response = client.request(ask.method, ask.path, content=ask.body, headers={**auth, **last, **ask.headers})
    headers = {name: value for name, value in response.headers.items() if name not in HEADERS_OF_EACH}
    if re.fullmatch("[0-9a-f]{32}", headers.get("x-request-id", "")):
        headers["x-request-id"] = "made"
    return response.status_code, headers, OWN_TO_EACH.sub(b"", response.content)


def test_both_edges_give_the_same_status_headers_and_body(edges: tuple[httpx.Client, httpx.Client], site: Site) -> None:
    lane, django = edges
    # The lane answers only tokens it has seen verified.
    assert [
        answered(edge, site, Ask(name="first", headers={"Content-Type": "application/json"}))[0] for edge in edges
    ] == [200, 200]
    statuses: dict[int, int] = {}
    differing: dict[str, Any] = {}
    for ask in asks():
        ours, theirs = answered(lane, site, ask), answered(django, site, ask)
        statuses[ours[0]] = statuses.get(ours[0], 0) + 1
        if ours != theirs:
            differing[ask.name] = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
    assert differing == {}
    assert sum(statuses.values()) > 300
    assert set(statuses) == {200, 400, 401, 403, 404, 405, 406, 413, 415, 422}
