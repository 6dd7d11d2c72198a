"""Who is let in where much is in progress, and what the others are told."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import connections
from prometheus_client import REGISTRY

from mlsite.bridge import SHORT_BYTES, Bridge
from predictions import engine
from predictions.adapters.crew import Work, crew
from tests.mlsite.test_supervisor import wait_for
from tests.predictions.asgi import Client, asked
from tests.predictions.conftest import Configure
from tests.predictions.test_lane import GOOD
from tests.predictions.tiny import staged

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("serving")]
WAIT_S = 60
PREDICT, TOKEN = "/api/v1/predict", "/api/v1/token"
OPEN = [
    "/api/v1/health",
    "/api/v1/health/live",
    "/api/v1/health/ready",
    "/api/v1/metrics",
    "/v2/health/live",
    "/version",
]
Fill = Callable[..., None]


@pytest.fixture
def bridge() -> Bridge:
    django = get_wsgi_application()

    def application(environ: Any, start_response: Any) -> Any:
        try:
            return django(environ, start_response)
        finally:
            # The thread outlives the test's database.
            connections.close_all()

    return Bridge(application)


@pytest.fixture
def fill() -> Iterator[Fill]:
    """Return a function that has so many requests of each kind in progress until the test ends."""
    let_go = threading.Event()

    def held() -> None:
        crew.step_aside()
        assert let_go.wait(WAIT_S)

    def begin(count: int, *kinds: Work) -> None:
        for kind in kinds or Work:
            for _ in range(count):
                assert crew.submit(kind, held, always=True)

    yield begin
    let_go.set()
    wait_for(is_free)


def is_free() -> bool:
    return [crew.in_progress(work) for work in Work] == [0, 0]


def refusals(reason: str) -> float:
    return REGISTRY.get_sample_value("overloaded_total", {"reason": reason}) or 0.0


def echo(environ: Any, start_response: Any) -> tuple[bytes]:
    """Answer with the body."""
    content = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(content)))])
    return (content,)


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/api/v1/predict", {"error", "code", "request_id", "fields"}),
        ("/api/v1/token", {"error", "code", "request_id", "fields"}),
        ("/v2/models/tiny/infer", {"error"}),
        ("/invocations", {"error_code", "message"}),
    ],
)
def test_one_more_than_may_be_in_progress_is_refused_in_its_dialect(
    bridge: Bridge, configure: Configure, fill: Fill, path: str, keys: set[str]
) -> None:
    configure(server__max_in_progress=6)
    fill(6)
    before = refusals("in_progress")
    refused = asked(bridge, path)
    body = json.loads(refused.content)
    assert (refused.status, refused.headers["retry-after"], refused.headers["x-request-id"]) == (503, "1", "same-id")
    assert refused.headers["content-length"] == str(len(refused.content))
    assert set(body) == keys
    assert body.get("code", "overloaded") == "overloaded"
    most = 3 if path == TOKEN else 6
    assert f"{most} requests are in progress here" in refused.content.decode()
    assert refusals("in_progress") == before + 1


def test_what_waits_for_other_things_holds_up_no_prediction(bridge: Bridge, configure: Configure, fill: Fill) -> None:
    configure(server__max_in_progress=6)
    fill(3, Work.OTHER)
    assert asked(bridge, PREDICT).status == 401
    assert asked(bridge, "/api/v1/models", b"", method="GET").status == 503


def test_predictions_leave_room_for_what_is_asked_beside_them(bridge: Bridge, configure: Configure, fill: Fill) -> None:
    configure(server__max_in_progress=3)
    fill(3, Work.PREDICT)
    assert asked(bridge, "/", b"", method="GET").status == 200
    assert asked(bridge, PREDICT).status == 503


@pytest.mark.parametrize("path", OPEN)
def test_health_and_metrics_are_always_answered(bridge: Bridge, configure: Configure, fill: Fill, path: str) -> None:
    configure(server__max_in_progress=1, server__max_slow_senders=1)
    fill(9)

    async def ask() -> Client:
        slow = Client(TOKEN, length=9).sends(b"{", more=True)
        sending = slow.asks(bridge)
        await slow.is_slow.wait()
        answered = await Client(path, method="GET").is_asked(bridge)
        slow.leaves()
        await sending
        return answered

    answered = asyncio.run(ask())
    assert b'"code":"overloaded"' not in answered.content.replace(b" ", b"")
    assert answered.status == (503 if path.endswith("/ready") else 200)


def test_of_those_who_send_slowly_so_many_are_waited_for(configure: Configure) -> None:
    configure(server__max_slow_senders=2)
    bridge, before = Bridge(echo), refusals("slow_senders")

    async def ask() -> None:
        slow = [Client(TOKEN, length=9).sends(b"slow", more=True) for _ in range(2)]
        sending = [client.asks(bridge) for client in slow]
        for client in slow:
            await client.is_slow.wait()
        refused = await Client(TOKEN, length=9).sends(b"slow", more=True).is_asked(bridge)
        assert (refused.status, refused.headers["retry-after"], refused.headers["x-request-id"]) == (
            503,
            "1",
            "same-id",
        )
        assert json.loads(refused.content)["fields"] == {"reason": "slow_senders"}
        # Who sends all at once, or nothing at all, is answered meanwhile.
        assert (await Client(TOKEN, length=5).sends(b"whole").is_asked(bridge)).content == b"whole"
        assert (await Client("/", method="GET").is_asked(bridge)).content == b""
        for client in slow:
            client.sends(b"-", more=True).sends(b"body")
        await asyncio.gather(*sending)
        assert [client.content for client in slow] == [b"slow-body"] * 2
        # They count no longer.
        late = Client(TOKEN, length=9).sends(b"slow", more=True)
        waiting = late.asks(bridge)
        await late.is_slow.wait()
        late.sends(b"-body")
        await waiting
        assert late.content == b"slow-body"

    asyncio.run(ask())
    assert refusals("slow_senders") == before + 1


@pytest.mark.parametrize("path", [PREDICT, "/v2/models/tiny/infer", "/invocations"])
def test_who_may_not_ask_is_told_so_before_all_is_sent_and_takes_nobodys_place(
    bridge: Bridge, configure: Configure, path: str
) -> None:
    configure(server__max_slow_senders=1)

    async def ask() -> list[int]:
        slow = Client(TOKEN, length=9).sends(b"{", more=True)
        sending = slow.asks(bridge)
        await slow.is_slow.wait()
        strangers = [Client(path, length=9), Client(path, length=9, authorization="Bearer none.that.is")]
        for client in strangers:
            await client.sends(b"{", more=True).is_asked(bridge)
        slow.leaves()
        await sending
        return [client.status for client in strangers]

    assert asyncio.run(ask()) == [401, 401]


def test_a_token_that_was_not_seen_yet_may_come_before_a_slow_body(bridge: Bridge, token: Callable[..., str]) -> None:
    staged()
    engine.refresh()
    bearer = f"Bearer {token()}"

    async def ask() -> list[Any]:
        # The first is read by the view, the second before it is asked.
        asked = [Client(PREDICT, length=len(GOOD), authorization=bearer).sends(GOOD[:9], more=True) for _ in range(2)]
        for client in asked:
            asking = client.asks(bridge)
            await client.is_slow.wait()
            client.sends(GOOD[9:])
            await asking
        return [json.loads(client.content)["predictions"] for client in asked]

    assert asyncio.run(ask()) == [["small"], ["small"]]


def test_who_goes_away_while_sending_is_forgotten(configure: Configure) -> None:
    configure(server__max_slow_senders=1)
    calls = list[Any]()
    bridge = Bridge(lambda environ, start_response: calls.append(environ) or [])  # type: ignore[func-returns-value]  # None

    async def ask() -> None:
        for _ in range(3):
            quick = Client(TOKEN, length=9).sends(b"{", more=True)
            quick.leaves()
            await quick.is_asked(bridge)
            slow = Client(TOKEN, length=9).sends(b"{", more=True)
            sending = slow.asks(bridge)
            await slow.is_slow.wait()
            slow.leaves()
            await sending
            assert quick.messages == slow.messages == []

    asyncio.run(ask())
    assert calls == []
    assert is_free()


def test_a_view_that_reads_no_body_waits_for_none(bridge: Bridge) -> None:
    async def ask() -> Client:
        return await Client(PREDICT, length=SHORT_BYTES + 1).is_asked(bridge)

    assert asyncio.run(ask()).status == 413


def test_a_body_that_takes_for_ever_is_given_up(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(server__max_slow_senders=1)
    monkeypatch.setattr("mlsite.bridge.SLOWEST_S", 0.05)
    bridge = Bridge(echo)

    async def ask() -> Client:
        client = Client(TOKEN, length=9).sends(b"slow", more=True)
        await client.asks(bridge)
        return client

    for _ in range(2):
        client = asyncio.run(ask())
        assert (client.status, json.loads(client.content)["code"]) == (408, "body_too_slow")
