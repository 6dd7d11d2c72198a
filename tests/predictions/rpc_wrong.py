"""Calls nobody can answer."""

from typing import Any

import grpc

from predictions.rpc import inference_pb2 as pb
from predictions.rpc.messages import CONTENTS
from tests.predictions.rpc import Tensor, asked, raw_asked, typed

Code = grpc.StatusCode


def wrong() -> dict[str, tuple[Any, Code, str]]:
    """Return calls nobody can answer, by what is wrong with them: the status and code of each."""
    colour, length, width = asked().inputs
    half = Tensor(name="length", datatype="FP16", shape=[4, 1])
    bad: dict[str, pb.ModelInferRequest] = {
        "no inputs": asked(inputs=[]),
        "a column less": asked(inputs=[colour, length]),
        "a column more": asked(inputs=[colour, length, width, typed("more", "FP64", [1.0] * 4)]),
        "shape of other size": asked(inputs=[colour, width, typed("length", "FP64", [1.0] * 4, shape=[5, 1])]),
        "negative shape": asked(inputs=[colour, width, typed("length", "FP64", [1.0] * 4, shape=[-1, 1])]),
        "huge shape": asked(inputs=[colour, width, typed("length", "FP64", [1.0] * 4, shape=[2**62, 2**62])]),
        "three dimensions": asked(inputs=[colour, width, typed("length", "FP64", [1.0] * 4, shape=[2, 2, 1])]),
        "no shape": asked(inputs=[colour, width, typed("length", "FP64", [1.0] * 4, shape=[])]),
        "rows differ": asked(inputs=[colour, width, typed("length", "FP64", [1.0])]),
        "no such datatype": asked(inputs=[colour, width, Tensor(name="length", datatype="FP128", shape=[4, 1])]),
        "text for a number": asked(inputs=[colour, width, typed("length", "BYTES", ["x"] * 4)]),
        "number for a text": asked(inputs=[length, width, typed("colour", "INT64", [1] * 4)]),
        "out of range": asked(inputs=[colour, width, typed("length", "INT8", [300] * 4)]),
        "half precision typed": asked(inputs=[colour, width, half]),
        "not UTF-8": asked(
            inputs=[
                length,
                width,
                Tensor(
                    name="colour",
                    datatype="BYTES",
                    shape=[4, 1],
                    contents=pb.InferTensorContents(bytes_contents=[b"\xff"] * 4),
                ),
            ]
        ),
        "infinite": asked(inputs=[colour, width, typed("length", "FP64", [float("inf")] * 4)]),
        "missing where it may not be": asked(inputs=[colour, width, typed("length", "FP64", [float("nan")] * 4)]),
        "no name": asked(inputs=[colour, width, typed("", "FP64", [1.0] * 4)]),
        "same name twice": asked(inputs=[colour, length, length]),
        "raw and typed": raw_asked(inputs=[colour, length, width]),
        "one raw too few": raw_asked(raw_input_contents=raw_asked().raw_input_contents[:2]),
        "raw of other size": raw_asked(raw_input_contents=[*raw_asked().raw_input_contents[:2], b"1234567"]),
        "raw text too long": raw_asked(raw_input_contents=[b"\xff\xff\xff\xff", *raw_asked().raw_input_contents[1:]]),
        "version no number": asked(model_version="newest"),
        "id too long": asked(id="i" * 201),
        "unknown output": asked(outputs=[pb.ModelInferRequest.InferRequestedOutputTensor(name="scores")]),
        "the same output twice": asked(
            outputs=[pb.ModelInferRequest.InferRequestedOutputTensor(name="predictions")] * 50_000
        ),
        "very many inputs": asked(inputs=[Tensor()] * 400_000),
        "flag no flag": asked(parameters={"binary_data_output": pb.InferParameter(int64_param=1)}),
        "classes no number": asked(
            outputs=[
                pb.ModelInferRequest.InferRequestedOutputTensor(
                    name="probabilities", parameters={"classification": pb.InferParameter(string_param="1")}
                )
            ]
        ),
    }
    found: dict[str, tuple[Any, Code, str]] = {
        name: (message.SerializeToString(), Code.INVALID_ARGUMENT, "invalid_request_data")
        for name, message in bad.items()
    }
    for name, body in {
        "junk": b"\xff\xfe\xfd" * 9,
        "text not UTF-8": b"\x0a\x01\xff",
        "cut": asked().SerializeToString()[:-3],
    }.items():
        found[name] = body, Code.INVALID_ARGUMENT, "invalid_request_data"
    many = [typed(t.name, t.datatype, list(getattr(t.contents, CONTENTS[t.datatype])) * 251) for t in asked().inputs]
    found["too many rows"] = asked(inputs=many).SerializeToString(), Code.RESOURCE_EXHAUSTED, "too_many_rows"
    for name in ("nope", "a\0b", "x" * 3000, "../etc", "tiny "):
        found[f"model {name[:9]!r}"] = asked(name).SerializeToString(), Code.NOT_FOUND, "unknown_model"
    found["unknown version"] = asked(model_version="9").SerializeToString(), Code.NOT_FOUND, "unknown_version"
    return found
