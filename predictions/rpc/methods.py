"""What each method answers."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from django.conf import settings

from features.ground.errors import bounded
from features.ground.roles import READERS
from predictions import engine
from predictions.actions.predict import PredictRequest, predict
from predictions.adapters.catalog import counted, described, listed, not_loaded_by_clients
from predictions.adapters.loading import LoadedVersion
from predictions.core.v2_answer import EXTENSIONS, SERVER, describe_config
from predictions.errors import InvalidRequestError, ModelNotReadyError
from predictions.rpc import inference_pb2 as pb
from predictions.rpc.messages import infer_request_of, infer_response
from predictions.tokens import ANYONE, Principal

_DIGITS = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who calls, and under which request id."""

    request_id: str
    principal: Principal = ANYONE


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """A method: how it answers, whose limit counts it, and who may call it; anybody, uncounted, without a scope.

    A probe is answered also while the server stops, which does not wait for it.
    """

    answer: Callable[[Any, Caller], Any]
    scope: str = ""
    probe: bool = False

    def roles(self) -> Sequence[str]:
        """Return who may call it."""
        return settings.CONFIG.allowed_roles if self.scope == "predict" else READERS


def _number(version: str) -> int | None:
    if version and not _DIGITS.fullmatch(version):
        raise InvalidRequestError(f"the version must be a whole number, or empty; got {bounded(version, 40)}")
    return int(version) if version else None


def _loaded(name: str, version: str) -> LoadedVersion:
    number, serving = _number(version), engine.serving(name or None)
    return serving.live() if number is None else engine.version(serving.model, number)


def server_live(message: pb.ServerLiveRequest, caller: Caller) -> pb.ServerLiveResponse:
    """Answer that the process does."""
    return pb.ServerLiveResponse(live=True)


def server_ready(message: pb.ServerReadyRequest, caller: Caller) -> pb.ServerReadyResponse:
    """Tell whether a model is loaded."""
    return pb.ServerReadyResponse(ready=any(model.version is not None for model in engine.status()))


def server_metadata(message: pb.ServerMetadataRequest, caller: Caller) -> pb.ServerMetadataResponse:
    """Return name, version and extensions."""
    return pb.ServerMetadataResponse(name=SERVER, version=settings.VERSION, extensions=EXTENSIONS)


def model_ready(message: pb.ModelReadyRequest, caller: Caller) -> pb.ModelReadyResponse:
    """Tell whether a model, or one of its versions, answers."""
    try:
        _loaded(message.name, message.version)
    except ModelNotReadyError:
        return pb.ModelReadyResponse(ready=False)
    return pb.ModelReadyResponse(ready=True)


def model_metadata(message: pb.ModelMetadataRequest, caller: Caller) -> pb.ModelMetadataResponse:
    """Return a model's inputs, outputs and versions."""
    return pb.ModelMetadataResponse(**described(_loaded(message.name, message.version)))


def model_config(message: pb.ModelConfigRequest, caller: Caller) -> pb.ModelConfigResponse:
    """Return a model's inputs and outputs in the words of Triton."""
    return pb.ModelConfigResponse(config=describe_config(described(_loaded(message.name, message.version))))


def model_infer(message: pb.ModelInferRequest, caller: Caller) -> pb.ModelInferResponse:
    """Predict; the answer's cells come in the form the request's came in."""
    asked = infer_request_of(message)
    answer = predict(
        PredictRequest(
            principal=caller.principal.name,
            caller=caller.principal.caller,
            request_id=caller.request_id,
            model=message.model_name or None,
            version=_number(message.model_version),
            table=asked.table,
        )
    )
    return infer_response(asked, answer, raw=bool(message.raw_input_contents))


def model_statistics(message: pb.ModelStatisticsRequest, caller: Caller) -> pb.ModelStatisticsResponse:
    """Return requests, their time and their rows, of one model or of all."""
    found, number = counted(), _number(message.version)
    if message.name:
        loaded = _loaded(message.name, message.version)
        found = [s for s in found if s["name"] == loaded.model and number in (None, int(s["version"]))]
    return pb.ModelStatisticsResponse(model_stats=found)


def repository_index(message: pb.RepositoryIndexRequest, caller: Caller) -> pb.RepositoryIndexResponse:
    """Return every model, whether it answers, and why not; those that do, if only they are wanted."""
    models = [listed(model) for model in engine.status() if not message.ready or model.version is not None]
    return pb.RepositoryIndexResponse(models=models)


def refuse_control(
    message: pb.RepositoryModelLoadRequest | pb.RepositoryModelUnloadRequest, caller: Caller
) -> NoReturn:
    """Say why no client loads or unloads a model."""
    raise not_loaded_by_clients(engine.serving(message.model_name or None).model)


METHODS = {
    "ServerLive": Method(answer=server_live),
    "ServerReady": Method(answer=server_ready),
    "ServerMetadata": Method(answer=server_metadata),
    "ModelReady": Method(answer=model_ready, scope="read"),
    "ModelMetadata": Method(answer=model_metadata, scope="read"),
    "ModelConfig": Method(answer=model_config, scope="read"),
    "ModelInfer": Method(answer=model_infer, scope="predict"),
    "ModelStatistics": Method(answer=model_statistics, scope="read"),
    "RepositoryIndex": Method(answer=repository_index, scope="read"),
    "RepositoryModelLoad": Method(answer=refuse_control, scope="read"),
    "RepositoryModelUnload": Method(answer=refuse_control, scope="read"),
}
