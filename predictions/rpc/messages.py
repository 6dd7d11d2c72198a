"""Infer requests and answers between their messages and what the predict path knows."""

from collections.abc import Iterable, Mapping
from typing import Any

from features.ground.errors import bounded
from predictions.core.answer import PredictAnswer
from predictions.core.tensors import BINARY_ONLY, to_binary
from predictions.core.v2 import OUTPUTS, InferRequest, infer_request, tensor_head
from predictions.core.v2_answer import outputs_of
from predictions.errors import InvalidRequestError
from predictions.rpc import inference_pb2 as pb

# The list a datatype's cells stand in.
CONTENTS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def infer_request_of(message: pb.ModelInferRequest) -> InferRequest:
    """Return what an infer message asks, read as the same request over HTTP is.

    Raises
    ------
    InvalidRequestError
        If it is malformed; the text names the tensor.
    """
    raw = message.raw_input_contents
    if raw and len(raw) != len(message.inputs):
        raise InvalidRequestError(
            f"raw_input_contents must hold one entry for each input, or none; "
            f"got {len(raw)} for {len(message.inputs)} inputs"
        )
    value = {
        "id": message.id or None,
        "parameters": _parameters(message.parameters),
        "inputs": [_input(tensor, raw[place] if raw else None) for place, tensor in enumerate(message.inputs)],
        "outputs": [
            # One more than there are, so that it is refused as asked for twice, and not all that may follow.
            {"name": wish.name, "parameters": _parameters(wish.parameters)}
            for wish in message.outputs[: len(OUTPUTS) + 1]
        ],
    }
    return infer_request(value, b"".join(raw))


def _parameters(given: Mapping[str, pb.InferParameter]) -> dict[str, Any]:
    found = {}
    for name, parameter in given.items():
        choice = parameter.WhichOneof("parameter_choice")
        found[name] = getattr(parameter, choice) if choice else None
    return found


def _input(tensor: pb.ModelInferRequest.InferInputTensor, raw: bytes | None) -> dict[str, Any]:
    head = {"name": tensor.name, "shape": list(tensor.shape), "datatype": tensor.datatype}
    # Before the next tensor is looked at: a message has room for very many that say nothing.
    tensor_head(head)
    shown = bounded(tensor.name, 60)
    filled = [field.name for field, _ in tensor.contents.ListFields()]
    if raw is not None:
        if filled:
            raise InvalidRequestError(
                f"input {shown}: its cells are in raw_input_contents, so contents must be empty; got {filled[0]}",
                input=shown,
            )
        return head | {"parameters": {"binary_data_size": len(raw)}}
    if tensor.datatype in BINARY_ONLY:
        raise InvalidRequestError(f"input {shown}: {tensor.datatype} travels in raw_input_contents only", input=shown)
    wanted = CONTENTS[tensor.datatype]
    if filled not in ([], [wanted]):
        raise InvalidRequestError(
            f"input {shown}: the cells of {tensor.datatype} stand in contents.{wanted}; got {', '.join(filled)}",
            input=shown,
        )
    cells = getattr(tensor.contents, wanted)
    return head | {"data": _texts(shown, cells) if tensor.datatype == "BYTES" else list(cells)}


def _texts(name: str, cells: Iterable[bytes]) -> list[str]:
    texts = []
    for cell in cells:
        try:
            texts.append(cell.decode())
        except UnicodeDecodeError:
            raise InvalidRequestError(f"input {name}: text {len(texts)} is not UTF-8", input=name) from None
    return texts


def infer_response(asked: InferRequest, answer: PredictAnswer, *, raw: bool) -> pb.ModelInferResponse:
    """Return the message of an answer, its cells as raw bytes or in the lists of their datatypes.

    Raises
    ------
    InvalidRequestError
        If probabilities were asked of a model that has none.
    """
    response = pb.ModelInferResponse(model_name=answer.model, model_version=str(answer.version), id=asked.id or "")
    response.parameters["prediction_id"].string_param = str(answer.prediction_id)
    response.parameters["role"].string_param = answer.role
    for _, output in outputs_of(asked, answer):
        tensor = response.outputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        if raw:
            response.raw_output_contents.append(to_binary(output.datatype, output.cells))
            continue
        texts = output.datatype == "BYTES"
        cells = [str(cell).encode() for cell in output.cells] if texts else output.cells
        getattr(tensor.contents, CONTENTS[output.datatype]).extend(cells)
    return response
