"""A gRPC server in this process, and calls to it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np

from mlsite.api import fault_of
from predictions.rpc import inference_pb2 as pb
from predictions.rpc.calls import Calls
from predictions.rpc.messages import CONTENTS
from predictions.rpc.server import make_server
from tests.predictions.dialects import ROWS, column

Tensor = pb.ModelInferRequest.InferInputTensor


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a caller got: an answer or a refusal, and the metadata after it."""

    code: grpc.StatusCode
    metadata: dict[str, str]
    details: str = ""
    answer: Any = None


class Line:
    """A channel to a server."""

    def __init__(self, channel: grpc.Channel, port: int) -> None:
        self.channel, self.port = channel, port

    def raw(self, method: str, body: bytes, token: str = "", **options: Any) -> Told:
        """Send bytes to a method, or a path, and return what came back, an answer still as bytes."""
        metadata = [("authorization", f"Bearer {token}")] if token else []
        metadata += options.pop("metadata", [])
        path = method if method.startswith("/") else f"/inference.GRPCInferenceService/{method}"
        call = self.channel.unary_unary(path)
        try:
            answer, done = call.with_call(body, metadata=metadata, timeout=20, **options)
        except grpc.RpcError as error:
            after = {key: str(value) for key, value in error.trailing_metadata() or ()}
            return Told(code=error.code(), details=error.details(), metadata=after)
        after = {key: str(value) for key, value in done.trailing_metadata()}
        return Told(code=grpc.StatusCode.OK, answer=answer, metadata=after)

    def ask(self, method: str, message: Any = None, token: str = "", **options: Any) -> Told:
        """Send a message and return what came back."""
        kind = getattr(pb, f"{method}Request")
        told = self.raw(method, (message or kind()).SerializeToString(), token, **options)
        if told.code is not grpc.StatusCode.OK:
            return told
        answer = getattr(pb, f"{method}Response").FromString(told.answer)
        return Told(code=told.code, metadata=told.metadata, answer=answer)


@contextmanager
def line(connect: Callable[[str], grpc.Channel] = grpc.insecure_channel, calls: Calls | None = None) -> Iterator[Line]:
    """Serve on a free port until the block ends."""
    server, port = make_server(calls or Calls(fault_of), "127.0.0.1", 0)
    server.start()
    try:
        with connect(f"127.0.0.1:{port}") as channel:
            yield Line(channel, port)
    finally:
        server.stop(None).wait()


def typed(name: str, datatype: str, cells: Sequence[Any], **more: Any) -> Tensor:
    """Return a tensor with its cells in the list of its datatype."""
    values = [cell.encode() if isinstance(cell, str) else cell for cell in cells]
    tensor = Tensor(name=name, datatype=datatype, **({"shape": [len(cells), 1]} | more))
    getattr(tensor.contents, CONTENTS[datatype]).extend(values)
    return tensor


def numbers(name: str) -> list[float]:
    """Return a column of numbers, NaN where one is missing."""
    return [float("nan") if cell is None else float(cell) for cell in column(name)]


def asked(model: str = "tiny", **more: Any) -> pb.ModelInferRequest:
    """Return the rows as a message with typed cells."""
    inputs = [
        typed("colour", "BYTES", column("colour")),
        typed("length", "FP64", numbers("length")),
        typed("width", "FP64", numbers("width")),
    ]
    return pb.ModelInferRequest(model_name=model, **({"inputs": inputs} | more))


def raw_asked(**more: Any) -> pb.ModelInferRequest:
    """Return the same with raw cells."""
    texts = b"".join(len(text).to_bytes(4, "little") + text.encode() for text in column("colour"))
    inputs = [
        Tensor(name=name, datatype=kind, shape=[len(ROWS)])
        for name, kind in (("colour", "BYTES"), ("length", "FP64"), ("width", "FP64"))
    ]
    parts = [texts, *(np.array(numbers(name), "<f8").tobytes() for name in ("length", "width"))]
    return pb.ModelInferRequest(**({"model_name": "tiny", "inputs": inputs, "raw_input_contents": parts} | more))
