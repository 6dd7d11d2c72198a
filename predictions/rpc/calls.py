"""What happens to every call: id, caller, limit, answer or refusal, metrics."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import grpc
import structlog
from django.conf import settings
from django.db import close_old_connections
from google.protobuf.descriptor import Descriptor, ServiceDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from rest_framework import exceptions

from features.ground.request_ids import request_id, trace_of
from predictions import metrics, tokens
from predictions.adapters.limits import hit
from predictions.adapters.slow import note_slow
from predictions.core.dialects import Fault
from predictions.errors import InvalidRequestError
from predictions.rpc import health
from predictions.rpc import inference_pb2 as pb
from predictions.rpc.methods import METHODS, Caller, Method

logger = logging.getLogger(__name__)
FaultOf = Callable[[Exception], Fault | None]
SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ABORTED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.FAILED_PRECONDITION,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
INTERNAL = Fault(status=500, text="Internal error; it has been logged", code="internal_error")
STOPPING = Fault(status=503, text="The server is stopping; ask again", code="stopping", headers={"Retry-After": "1"})
LATE = Fault(status=504, text="The deadline passed while the call waited for its turn", code="deadline_exceeded")


class Calls:
    """Hands calls to their methods; `fault_of` says what an error is to a caller."""

    def __init__(self, fault_of: FaultOf) -> None:
        self._fault_of = fault_of
        self._lock = threading.Lock()
        self._open, self._last = 0, 0.0
        self.stopping = False
        self._health = health.Health(lambda: self.stopping)

    def quiet(self, seconds: float) -> bool:
        """Tell whether no call is being answered, and none was for so long."""
        with self._lock:
            return not self._open and time.monotonic() - self._last > seconds

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._open += 1
        try:
            yield
        finally:
            with self._lock:
                self._open, self._last = self._open - 1, time.monotonic()

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """Return what a server is given: each service with its methods."""
        found = {
            name: grpc.unary_unary_rpc_method_handler(self._answerer(SERVICE, name, method))
            for name, method in METHODS.items()
        }
        return [
            grpc.method_handlers_generic_handler(SERVICE.full_name, found),
            grpc.method_handlers_generic_handler(health.SERVICE.full_name, self._health_handlers()),
        ]

    def _health_handlers(self) -> dict[str, grpc.RpcMethodHandler]:
        check = self._answerer(health.SERVICE, "Check", Method(answer=self._health.check, probe=True))
        begun = self._answerer(health.SERVICE, "Watch", Method(answer=self._health.begin, probe=True))
        watch = self._health.follower(begun, lambda context: context.abort(CODES[STOPPING.status], STOPPING.detail))
        return {
            "Check": grpc.unary_unary_rpc_method_handler(health.Aside(check, threads=1)),
            # One thread more than may watch: it refuses.
            "Watch": grpc.unary_stream_rpc_method_handler(health.Aside(watch, threads=health.WATCHES + 1)),
        }

    def _answerer(self, service: ServiceDescriptor, name: str, method: Method) -> health.Answer:
        route, counted = f"{service.full_name}/{name}", nullcontext if method.probe else self._counted
        read = _reader(service.methods_by_name[name].input_type)

        def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
            started = time.perf_counter()
            given = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
            asked_by = request_id(given.get("x-request-id", ""))
            trailing = {"x-request-id": asked_by}
            trace = trace_of(given.get("traceparent", ""))
            with counted(), structlog.contextvars.bound_contextvars(request_id=asked_by, **trace):
                fault, reply = self._answered(method, lambda: read(body), context, given, trailing)
                seconds = time.perf_counter() - started
                metrics.observe_request("POST", route, fault.status if fault else 200, seconds)
                note_slow("POST", route, fault.status if fault else 200, seconds)
            if fault is not None:
                trailing |= {name.lower(): value for name, value in fault.headers.items()} | {"error-code": fault.code}
            context.set_trailing_metadata(tuple(trailing.items()))
            if fault is not None:
                context.abort(CODES.get(fault.status, grpc.StatusCode.INTERNAL), fault.detail)
            return reply

        return answer

    def _answered(
        self,
        method: Method,
        read: Callable[[], Any],
        context: grpc.ServicerContext,
        given: dict[str, str],
        trailing: dict[str, str],
    ) -> tuple[Fault | None, bytes]:
        if self.stopping and not method.probe:
            return STOPPING, b""
        left = context.time_remaining()
        if not context.is_active() or (left is not None and left <= 0):
            return LATE, b""
        close_old_connections()
        try:
            caller = Caller(request_id=trailing["x-request-id"])
            if method.scope:
                principal = _let_in(method, given.get("authorization", ""), trailing)
                caller = Caller(request_id=caller.request_id, principal=principal)
            return None, method.answer(read(), caller).SerializeToString()
        except Exception as error:  # a call's fault must reach its caller, and never end the server
            fault = self._fault_of(error)
            if fault is None:
                logger.exception("a call failed")
            return fault or INTERNAL, b""
        finally:
            close_old_connections()


def _let_in(method: Method, authorization: str, trailing: dict[str, str]) -> tokens.Principal:
    """Return the caller; the limit's state goes into the trailing metadata."""
    config, principal = settings.CONFIG, tokens.ANYONE
    if config.enable_auth:
        if (token := tokens.bearer(authorization)) is None:
            raise exceptions.NotAuthenticated
        principal = tokens.verify_token(token)
    if set(principal.roles).isdisjoint(method.roles()):
        raise exceptions.PermissionDenied
    decision = hit(method.scope, principal.name, config.rate_limit)
    if decision is not None:
        trailing |= {name.lower(): value for name, value in decision.headers()}
        if not decision.allowed:
            raise exceptions.Throttled(wait=decision.retry_after)
    return principal


def _reader(message: Descriptor) -> Callable[[bytes], Any]:
    # Bytes come in, not messages: what can't be read is then the caller's fault, and not the server's.
    kind, form = GetMessageClass(message), message.file.name.rpartition("/")[2]

    def read(body: bytes) -> Any:
        try:
            return kind.FromString(body)
        except DecodeError:
            raise InvalidRequestError(f"the message can't be read; {form} tells its form") from None

    return read
