"""Who is let in where much is in progress, and what the others are told."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.wsgi import get_wsgi_application
from prometheus_client import REGISTRY

from mlsite.gate import Gate
from predictions.adapters.crew import Crew, Seat, Work, crew
from tests.predictions.conftest import Configure
from tests.predictions.test_lane import ask

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("serving")]

LONG_AGO = 1e-9


@pytest.fixture
def gate() -> Iterator[Gate]:
    yield Gate(get_wsgi_application())
    for seats in (crew._relieved, crew.seats):
        seats.difference_update([seat for seat in crew.seats if seat.since == LONG_AGO])


def fill(count: int, *kinds: Work) -> None:
    """Have so many requests of each kind in progress."""
    for kind in kinds or Work:
        crew.seats.update(taken(kind) for _ in range(count))


def read_slowly(count: int) -> None:
    """Have so many clients send their bodies slowly."""
    slow = [taken(reads=True) for _ in range(count)]
    crew.seats.update(slow)
    crew._relieved.update(slow)


def taken(kind: Work = Work.OTHER, *, reads: bool = False) -> Seat:
    seat = Seat()
    seat.since, seat.work, seat.is_reading = LONG_AGO, kind, reads
    return seat


def refusals(reason: str) -> float:
    return REGISTRY.get_sample_value("overloaded_total", {"reason": reason}) or 0.0


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
    gate: Gate, configure: Configure, path: str, keys: set[str]
) -> None:
    configure(server__max_in_progress=3)
    fill(3)
    before = refusals("in_progress")
    status, headers, content = ask(gate, path=path)
    body = json.loads(content)
    assert (status, headers["Retry-After"], headers["X-Request-ID"]) == ("503 Service Unavailable", "1", "same-id")
    assert set(body) == keys
    assert body.get("code", "overloaded") == "overloaded"
    assert "3 requests are in progress here" in content.decode()
    assert refusals("in_progress") == before + 1


OPEN = [
    "/api/v1/health",
    "/api/v1/health/live",
    "/api/v1/health/ready",
    "/api/v1/metrics",
    "/v2/health/live",
    "/version",
]


def test_what_waits_for_other_things_holds_up_no_prediction(gate: Gate, configure: Configure) -> None:
    configure(server__max_in_progress=3)
    fill(3, Work.OTHER)
    assert ask(gate, path="/api/v1/predict")[0] == "401 Unauthorized"
    assert ask(gate, b"", path="/api/v1/models", REQUEST_METHOD="GET")[0] == "503 Service Unavailable"


@pytest.mark.parametrize("path", OPEN)
def test_health_and_metrics_are_always_answered(gate: Gate, configure: Configure, path: str) -> None:
    configure(server__max_in_progress=1, server__max_slow_senders=1)
    fill(9)
    read_slowly(9)
    status, _, content = ask(gate, b"", path=path, REQUEST_METHOD="GET")
    assert b'"code":"overloaded"' not in content.replace(b" ", b"")
    assert status.startswith("503") == path.endswith("/ready")


def test_where_many_send_slowly_only_bodies_are_refused(gate: Gate, configure: Configure) -> None:
    configure(server__max_slow_senders=2)
    read_slowly(2)
    status, _, content = ask(gate, path="/api/v1/token")
    assert (status, json.loads(content)["fields"]) == ("503 Service Unavailable", {"reason": "slow_senders"})
    assert ask(gate, b"", path="/", REQUEST_METHOD="GET")[0] == "200 OK"


def test_quick_senders_are_no_reason_to_refuse_a_body(gate: Gate, configure: Configure) -> None:
    configure(server__max_slow_senders=2)
    crew.seats.update(taken(reads=True) for _ in range(2))
    assert ask(gate, path="/api/v1/token")[0] != "503 Service Unavailable"


def test_what_is_in_progress_is_forgotten_when_it_ends(gate: Gate) -> None:
    def fails(environ: Any, start_response: Any) -> Any:
        raise ZeroDivisionError

    ask(gate, path="/api/v1/token")
    with pytest.raises(ZeroDivisionError):
        ask(Gate(fails))
    assert [*map(crew.in_progress, Work), crew.reading()] == [0, 0, 0]


def seats(count: int) -> tuple[Crew, list[Seat]]:
    """Return a crew of so many threads that nobody watches, with one on turn and the others at rest."""
    made, them = Crew(), [Seat() for _ in range(count)]
    made.seats.update(them)
    made._resting.extend(them[1:])
    return made, them


def test_one_that_is_held_up_is_relieved_by_one_that_rests() -> None:
    made, (held, other) = seats(2)
    made.enter(held, Work.PREDICT)
    held.is_reading = True
    made._relieve(held)
    assert other.turn.acquire(blocking=False)
    assert made.on_turn == {other}
    made.end_reading(held)
    assert made.leave(held)  # there are two on turn now: one may rest


def test_one_that_is_not_held_up_keeps_its_turn() -> None:
    made, (quick, other) = seats(2)
    made.enter(quick, Work.PREDICT)
    assert not made.leave(quick)
    assert not other.turn.acquire(blocking=False)


def test_where_many_are_held_up_by_work_each_further_one_has_somebody_listen() -> None:
    made, them = seats(8)
    for _ in them[:5]:
        (seat,) = made.on_turn
        made.enter(seat, Work.PREDICT)
        made._relieve(seat)
    # Nobody had to see the sixth be slow.
    (sixth,) = made.on_turn
    made.enter(sixth, Work.PREDICT)
    assert len(made.on_turn) == 1
    assert sixth not in made.on_turn


def test_the_turn_of_a_thread_that_ends_goes_to_another() -> None:
    made, (gone, other) = seats(2)
    made.gone(gone)
    assert other.turn.acquire(blocking=False)
    assert made.on_turn == {other}
