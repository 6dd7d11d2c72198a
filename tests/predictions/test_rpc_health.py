"""gRPC's own health service: what the probes over HTTP say, to anybody, for the server and for each model."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import pytest
from django.db import OperationalError, connection
from grpc_health.v1 import health_pb2 as pb
from grpc_health.v1.health_pb2_grpc import HealthStub
from prometheus_client import REGISTRY

from mlsite.api import fault_of
from models_store.models import ModelVersion, RegisteredModel
from predictions import engine
from predictions.rpc import health
from predictions.rpc.calls import Calls
from tests.mlsite.test_supervisor import wait_for
from tests.predictions.dialects import fetch, send
from tests.predictions.rpc import Line, asked, line, raw_asked
from tests.predictions.test_rpc import cells
from tests.predictions.test_v2 import asked as rest_asked
from tests.predictions.test_v2 import outputs
from tests.predictions.tiny import register, staged

Token = Callable[..., str]
Code, Status = grpc.StatusCode, pb.HealthCheckResponse
SERVING, NOT_SERVING, UNKNOWN = Status.SERVING, Status.NOT_SERVING, Status.SERVICE_UNKNOWN
CHECK = "/grpc.health.v1.Health/Check"
SERVER = ("", "inference.GRPCInferenceService")


@pytest.fixture
def wire(serving: None) -> Iterator[Line]:
    with line() as found:
        yield found


def check(wire: Line, *services: str, **options: Any) -> list[int]:
    """Ask for the status of services through the package's own client."""
    client = HealthStub(wire.channel)
    return [client.Check(pb.HealthCheckRequest(service=name), timeout=20, **options).status for name in services]


@contextmanager
def watched(wire: Line, service: str = "") -> Iterator[Any]:
    """Watch a service until the block ends."""
    call = HealthStub(wire.channel).Watch(pb.HealthCheckRequest(service=service), timeout=60)
    try:
        yield call
    finally:
        call.cancel()


def archive() -> None:
    RegisteredModel.objects.update(generation=9)
    ModelVersion.objects.update(stage="archived")
    engine.refresh()


def over_http() -> set[int]:
    return {fetch("", path).status_code for path in ("/v2/health/ready", "/api/v1/health/ready")}


def test_it_says_what_the_probes_over_http_say(wire: Line) -> None:
    assert (check(wire, *SERVER), over_http()) == ([NOT_SERVING] * 2, {503})
    register("other", seed=1)
    engine.refresh()
    assert (check(wire, *SERVER, "other"), over_http()) == ([NOT_SERVING] * 3, {503})
    staged()
    engine.refresh()
    assert (check(wire, *SERVER, "tiny", "other"), over_http()) == ([SERVING] * 3 + [NOT_SERVING], {200})
    archive()
    assert (check(wire, *SERVER, "tiny"), over_http()) == ([NOT_SERVING] * 3, {503})


def test_a_name_of_no_model_is_not_found(wire: Line) -> None:
    staged()
    names = ("nope", "a\0b", "../etc", "tiny ", "TINY", "x" * 3000, "inference", "grpc.health.v1.Health")
    told = [wire.raw(CHECK, pb.HealthCheckRequest(service=name).SerializeToString()) for name in names]
    assert {(one.code, one.metadata["error-code"]) for one in told} == {(Code.NOT_FOUND, "unknown_model")}
    assert told[0].details == "no model is named nope"
    assert len(told[5].details) < 200


@pytest.mark.parametrize("body", [b"\xff\xfe\xfd", b"\x0a\x01\xff", b"\x0a\x09tin"])
def test_what_is_no_message_is_the_callers_fault(wire: Line, body: bytes) -> None:
    told = wire.raw(CHECK, body)
    assert (told.code, told.metadata["error-code"]) == (Code.INVALID_ARGUMENT, "invalid_request_data")
    assert told.details == "the message can't be read; health.proto tells its form"
    watch = wire.channel.unary_stream("/grpc.health.v1.Health/Watch")(body, timeout=20)
    with pytest.raises(grpc.RpcError) as caught:
        next(watch)
    assert (caught.value.code(), caught.value.details()) == (told.code, told.details)


def test_anybody_may_ask_however_often(wire: Line, configure: Any) -> None:
    staged()
    configure(rate_limit="1/hour")
    assert check(wire, "", "", "tiny") == [SERVING] * 3
    assert check(wire, "", metadata=[("authorization", "Bearer junk")]) == [SERVING]
    told = wire.raw(CHECK, b"", metadata=[("x-request-id", "mine-1")])
    assert told.metadata["x-request-id"] == "mine-1"


def test_asking_loads_no_model_that_was_let_go(wire: Line, configure: Any) -> None:
    staged(name="a")
    staged(name="b")
    configure(model__max_memory_mb=0.0001)
    engine.refresh()
    asleep = [name for name, found in engine._engine._table.items() if found.asleep]
    assert asleep
    assert check(wire, "a", "b", "") == [SERVING] * 3
    assert [name for name, found in engine._engine._table.items() if found.asleep] == asleep


def test_a_registry_that_was_never_read_is_not_serving(serving: None) -> None:
    staged()

    def away(*_: Any) -> None:
        raise OperationalError("gone")

    found = health.Health(lambda: False)
    with connection.execute_wrapper(away):
        assert [found.status(name) for name in (*SERVER, "tiny", "nope")] == [NOT_SERVING] * 4
    assert [found.status(name) for name in (*SERVER, "tiny", "nope")] == [SERVING] * 3 + [UNKNOWN]


def test_checks_are_counted_as_requests_are(wire: Line) -> None:
    def count(status: str) -> float:
        labels = {"method": "POST", "route": "grpc.health.v1.Health/Check", "status": status}
        return REGISTRY.get_sample_value("http_requests_total", labels) or 0

    before = count("200"), count("404")
    check(wire, "", "")
    wire.raw(CHECK, pb.HealthCheckRequest(service="nope").SerializeToString())
    assert (count("200") - before[0], count("404") - before[1]) == (2, 1)


def test_a_watch_tells_each_change_once(wire: Line) -> None:
    engine.refresh()
    with watched(wire) as whole, watched(wire, "tiny") as tiny:
        assert (next(whole).status, next(tiny).status) == (NOT_SERVING, UNKNOWN)
        register()
        engine.refresh()
        assert next(tiny).status == NOT_SERVING
        staged()
        engine.refresh()
        assert (next(whole).status, next(tiny).status) == (SERVING, SERVING)
        archive()
        assert (next(whole).status, next(tiny).status) == (NOT_SERVING, NOT_SERVING)


def test_watches_hold_up_no_prediction_and_are_no_more_than_may_be(wire: Line, token: Token) -> None:
    staged()
    key = token()
    wanted = outputs(send(key, "/v2/models/tiny/infer", json.dumps(rest_asked()).encode()))
    with ExitStack() as open_ones:
        calls = [open_ones.enter_context(watched(wire)) for _ in range(health.WATCHES)]
        assert {next(call).status for call in calls} == {SERVING}
        for _ in range(3):
            with watched(wire) as more, pytest.raises(grpc.RpcError) as caught:
                next(more)
            assert caught.value.code() is Code.UNAVAILABLE
            assert caught.value.details() == "32 watches are open, and no more may be; Check answers"
            after = dict(caught.value.trailing_metadata() or ())
            assert (after["error-code"], after["retry-after"]) == ("overloaded", "1")
        assert check(wire, "", "tiny") == [SERVING] * 2
        told = [wire.ask("ModelInfer", message, key).answer for message in (asked(), raw_asked())]
        assert [cells(answer) for answer in told] == [wanted] * 2
    wait_for(lambda: opens(wire))


def opens(wire: Line) -> bool:
    with watched(wire) as call:
        try:
            return bool(next(call).status == SERVING)
        except grpc.RpcError:
            return False


def test_while_it_stops_it_says_so_and_waits_for_no_watch(serving: None) -> None:
    staged()
    calls = Calls(fault_of)
    with line(calls=calls) as wire, watched(wire) as call:
        assert (check(wire, "", "tiny"), next(call).status) == ([SERVING] * 2, SERVING)
        calls.stopping = True
        assert check(wire, "", "tiny") == [NOT_SERVING] * 2
        assert next(call).status == NOT_SERVING
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        assert (caught.value.code(), caught.value.details()) == (Code.UNAVAILABLE, "The server is stopping; ask again")
        assert wire.raw(CHECK, pb.HealthCheckRequest(service="nope").SerializeToString()).code is Code.NOT_FOUND
        assert wire.ask("ServerReady").code is Code.UNAVAILABLE


def test_health_does_not_delay_the_end(serving: None) -> None:
    staged()
    calls = Calls(fault_of)
    with line(calls=calls) as wire, watched(wire) as call:
        next(call)
        wire.ask("ServerLive")
        ended = calls._last
        check(wire, "")
        assert calls._last == ended
        assert calls.quiet(0)
