"""The standard health service of gRPC: whether the server, or one model, would answer a prediction."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from django.db import close_old_connections
from grpc_health.v1 import health_pb2 as pb

from features.ground.errors import bounded
from models_store.errors import UnknownModelError
from predictions import engine
from predictions.errors import ModelNotReadyError, OverloadedError
from predictions.rpc.inference_pb2 import DESCRIPTOR as INFERENCE
from predictions.rpc.methods import Caller

SERVICE = pb.DESCRIPTOR.services_by_name["Health"]
# The names of the server as a whole; no model may have them, for their dots.
WHOLE = {"", INFERENCE.services_by_name["GRPCInferenceService"].full_name}
# Each watch keeps a thread for as long as it lasts.
WATCHES = 32
LOOK_S = 0.5
Status = pb.HealthCheckResponse
Answer = Callable[[bytes, grpc.ServicerContext], Any]


class Health:
    """Answers for the server and each model; `stopping` says whether the server takes no more calls."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self._stopping = stopping
        self._lock = threading.Lock()
        self._watches = 0

    def status(self, service: str) -> int:
        """Return the status of a service: what the probes over HTTP say, and never a reason to load anything."""
        status: int = Status.NOT_SERVING
        try:
            ready = {model.name: model.version is not None for model in engine.status()}
        except ModelNotReadyError:
            # The registry was never read: nobody answers, by whatever name.
            return status
        if service not in WHOLE and service not in ready:
            status = Status.SERVICE_UNKNOWN
        elif not self._stopping() and (any(ready.values()) if service in WHOLE else ready[service]):
            status = Status.SERVING
        return status

    def check(self, message: pb.HealthCheckRequest, caller: Caller) -> pb.HealthCheckResponse:
        """Answer for a service.

        Raises
        ------
        UnknownModelError
            If no model has its name.
        """
        found = self.status(message.service)
        if found == Status.SERVICE_UNKNOWN:
            raise UnknownModelError(f"no model is named {bounded(message.service, 100)}")
        return pb.HealthCheckResponse(status=found)

    def begin(self, message: pb.HealthCheckRequest, caller: Caller) -> pb.HealthCheckResponse:
        """Answer for a service that is watched from now on; there may be no model of its name yet.

        Raises
        ------
        OverloadedError
            If as many are watched as may be.
        """
        if self._watches > WATCHES:
            raise OverloadedError(f"{WATCHES} watches are open, and no more may be; Check answers", reason="watches")
        return pb.HealthCheckResponse(status=self.status(message.service))

    def follower(self, begun: Answer, stopped: Callable[[grpc.ServicerContext], None]) -> Answer:
        """Return what answers a watch: `begun` gives its first answer, `stopped` ends it when the server stops."""

        def follow(body: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            with self._counted():
                reply = begun(body, context)
                yield reply
                service, last = pb.HealthCheckRequest.FromString(body).service, Status.FromString(reply).status
                for status in self._changes(service, last, context):
                    yield pb.HealthCheckResponse(status=status).SerializeToString()
                if self._stopping():
                    stopped(context)

        return follow

    def _changes(self, service: str, last: int, context: grpc.ServicerContext) -> Iterator[int]:
        """Yield each other status of a service, until its caller is gone or the server stops."""
        gone = threading.Event()
        if not context.add_callback(gone.set):
            return
        while not gone.wait(LOOK_S):
            is_last, found = self._stopping(), self.status(service)
            close_old_connections()
            if found != last:
                last = found
                yield found
            if is_last:
                return

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._watches += 1
        try:
            yield
        finally:
            with self._lock:
                self._watches -= 1


class Aside:
    """What answers by threads of its own, so that health is told while predictions queue, and holds up none."""

    def __init__(self, answer: Answer, *, threads: int) -> None:
        self._answer = answer
        # The library looks for it under this name.
        self.experimental_thread_pool = ThreadPoolExecutor(threads, thread_name_prefix="rpc-health")

    def __call__(self, body: bytes, context: grpc.ServicerContext) -> Any:
        return self._answer(body, context)
