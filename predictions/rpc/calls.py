"""What happens to every call: id, caller, limit, answer or refusal, metrics."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import structlog
from django.conf import settings
from django.db import close_old_connections
from google.protobuf.message import DecodeError
from rest_framework import exceptions

from features.ground.request_ids import request_id, trace_of
from predictions import metrics, tokens
from predictions.adapters.limits import hit
from predictions.adapters.slow import note_slow
from predictions.core.dialects import Fault
from predictions.errors import InvalidRequestError
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

    def handler(self) -> grpc.GenericRpcHandler:
        """Return what a server is given."""
        found = {name: grpc.unary_unary_rpc_method_handler(self._answerer(name)) for name in METHODS}
        return grpc.method_handlers_generic_handler(SERVICE.full_name, found)

    def _answerer(self, name: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        method, route = METHODS[name], f"{SERVICE.full_name}/{name}"
        # Bytes come in, not messages: what can't be read is then the caller's fault, and not the server's.
        read = getattr(pb, SERVICE.methods_by_name[name].input_type.name).FromString

        def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
            started = time.perf_counter()
            given = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
            asked_by = request_id(given.get("x-request-id", ""))
            trailing = {"x-request-id": asked_by}
            trace = trace_of(given.get("traceparent", ""))
            with self._counted(), structlog.contextvars.bound_contextvars(request_id=asked_by, **trace):
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
        if self.stopping:
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
            return None, method.answer(_message(read), caller).SerializeToString()
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


def _message(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except DecodeError:
        raise InvalidRequestError("the message can't be read; inference.proto tells its form") from None
