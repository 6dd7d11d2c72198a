"""The Open Inference Protocol, version 2: how an answer and a model's metadata look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from predictions.core.answer import PredictAnswer
from predictions.core.tensors import datatype_of, to_binary
from predictions.core.v2 import OUTPUTS, InferRequest, Wish
from predictions.errors import InvalidRequestError

SERVER = "mlsite"
EXTENSIONS = ("binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics")


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """A tensor of an answer."""

    name: str
    datatype: str
    shape: list[int]
    cells: Sequence[Any]


def infer_answer(request: InferRequest, answer: PredictAnswer) -> tuple[bytes, int | None]:
    """Return the body of an answer, and how many bytes of it are JSON if raw tensors follow.

    Parameters
    ----------
    request : InferRequest
        What was asked, and how the outputs are wanted.
    answer : PredictAnswer
        What the model said.

    Returns
    -------
    tuple of bytes and int or None
        The body; None if all of it is JSON.

    Raises
    ------
    InvalidRequestError
        If probabilities were asked of a model that has none.
    """
    raw: list[bytes] = []
    outputs = []
    for wish, output in outputs_of(request, answer):
        shown: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": output.shape}
        if wish.binary:
            raw.append(to_binary(output.datatype, output.cells))
            shown["parameters"] = {"binary_data_size": len(raw[-1])}
        else:
            shown["data"] = list(map(str, output.cells)) if output.datatype == "BYTES" else output.cells
        outputs.append(shown)
    head: dict[str, Any] = {"model_name": answer.model, "model_version": str(answer.version)}
    head |= {} if request.id is None else {"id": request.id}
    head["parameters"] = {"prediction_id": str(answer.prediction_id), "role": answer.role}
    header = orjson.dumps(head | {"outputs": outputs})
    return (b"".join([header, *raw]), len(header)) if raw else (header, None)


def outputs_of(request: InferRequest, answer: PredictAnswer) -> list[tuple[Wish, Output]]:
    """Return the tensors of an answer, each with the wish it fulfils.

    Parameters
    ----------
    request : InferRequest
        What was asked; without wishes all outputs are wanted.
    answer : PredictAnswer
        What the model said.

    Returns
    -------
    list of tuple of Wish and Output
        In the order of the wishes.

    Raises
    ------
    InvalidRequestError
        If probabilities were asked of a model that has none.
    """
    wishes = request.wishes or tuple(
        Wish(name=name, binary=request.binary)
        for name in OUTPUTS
        if name == OUTPUTS[0] or answer.probabilities is not None
    )
    return [(wish, _output(wish, answer)) for wish in wishes]


def _output(wish: Wish, answer: PredictAnswer) -> Output:
    rows = len(answer.predictions)
    if wish.name == OUTPUTS[0] and not wish.classes:
        return Output(name=wish.name, datatype=datatype_of(answer.classes), shape=[rows], cells=answer.predictions)
    if answer.probabilities is None:
        raise InvalidRequestError(f"{answer.model} is a regression: it has no probabilities")
    if wish.classes:
        return _most_probable(wish, answer, answer.probabilities)
    cells = [share for row in answer.probabilities for share in row]
    return Output(name=wish.name, datatype="FP64", shape=[rows, len(cells) // rows], cells=cells)


def _most_probable(wish: Wish, answer: PredictAnswer, probabilities: list[list[float]]) -> Output:
    """Return the classes of each row from the most probable on, as value:index:label."""
    kept = min(wish.classes, len(answer.classes))
    cells = [
        f"{row[place]}:{place}:{answer.classes[place]}"
        for row in probabilities
        for place in sorted(range(len(row)), key=lambda place, row=row: -row[place])[:kept]  # type: ignore[misc]  # bound
    ]
    return Output(name=wish.name, datatype="BYTES", shape=[len(probabilities), kept], cells=cells)


def describe_tensors(
    columns: Sequence[Mapping[str, Any]], classes: Sequence[Any], classifies: bool
) -> dict[str, list[dict[str, Any]]]:
    """Return the inputs and outputs of a model as its metadata shows them; −1 is the number of rows.

    Parameters
    ----------
    columns : sequence of mapping
        The model's columns: name, dtype.
    classes : sequence
        Its labels.
    classifies : bool
        Whether it answers probabilities.

    Returns
    -------
    dict
        `inputs` and `outputs`, each a list of name, datatype and shape.
    """
    inputs = [
        {"name": c["name"], "datatype": "BYTES" if c["dtype"] == "string" else "FP64", "shape": [-1, 1]}
        for c in columns
    ]
    outputs: list[dict[str, Any]] = [{"name": OUTPUTS[0], "datatype": datatype_of(classes), "shape": [-1]}]
    if classifies:
        outputs.append({"name": OUTPUTS[1], "datatype": "FP64", "shape": [-1, len(classes)]})
    return {"inputs": inputs, "outputs": outputs}


def describe_config(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's configuration as Triton's clients read one.

    Parameters
    ----------
    model : mapping
        Its metadata: name, platform, inputs and outputs.

    Returns
    -------
    dict
        The dimensions are whole: with `max_batch_size` 0 none is left out, and the first is the number of rows.
    """

    def shown(tensor: Mapping[str, Any]) -> dict[str, Any]:
        kind = "STRING" if tensor["datatype"] == "BYTES" else tensor["datatype"]
        return {"name": tensor["name"], "data_type": f"TYPE_{kind}", "dims": tensor["shape"]}

    sides = {side: [shown(tensor) for tensor in model[f"{side}s"]] for side in ("input", "output")}
    return {"name": model["name"], "platform": model["platform"], "max_batch_size": 0, **sides}
