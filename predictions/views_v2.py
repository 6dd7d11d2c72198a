"""The Open Inference Protocol, version 2, over HTTP: for clients of Triton, KServe and MLServer."""

import re
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from features.ground.quick_settings import setting
from features.ground.roles import READERS
from predictions import engine, serializers
from predictions.actions.predict import PredictRequest, predict
from predictions.adapters.catalog import counted, described, listed, not_loaded_by_clients
from predictions.adapters.loading import LoadedVersion
from predictions.core.v2 import parse_infer
from predictions.core.v2_answer import EXTENSIONS, SERVER, describe_config, infer_answer
from predictions.errors import InvalidRequestError, ModelNotReadyError
from predictions.parsers import AnyBodyParser, JsonAlways, body_of, compressed
from predictions.tokens import caller_of
from predictions.views import LimitedView

HEADER_LENGTH = "Inference-Header-Content-Length"
JSON, BINARY = "application/json", "application/octet-stream"
_DIGITS = re.compile(r"\d{1,9}", re.ASCII)


def _loaded(name: str, number: int | None) -> LoadedVersion:
    return engine.serving(name).live() if number is None else engine.version(name, number)


@extend_schema(tags=["open inference protocol"], request=None, responses={200: dict})
class V2View(LimitedView):
    """Any client of the protocol may send any content type, or none."""

    parser_classes = [AnyBodyParser]
    content_negotiation_class = JsonAlways
    throttle_scope = "read"
    roles: Any = READERS


class OpenV2View(V2View):
    """What probes and clients ask before they say who they are."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = []


class ServerView(OpenV2View):
    """The server's own metadata."""

    def get(self, request: Request) -> Response:
        """Name, version and extensions."""
        return Response({"name": SERVER, "version": settings.VERSION, "extensions": list(EXTENSIONS)})


class ServerLiveView(OpenV2View):
    """The process answers."""

    def get(self, request: Request) -> Response:
        """Liveness."""
        return Response({"live": True})


class ServerReadyView(OpenV2View):
    """A model is loaded."""

    @extend_schema(
        tags=["open inference protocol"], request=None, responses={200: dict, 503: serializers.V2ErrorSerializer}
    )
    def get(self, request: Request) -> Response:
        """Readiness."""
        if not any(model.version is not None for model in engine.status()):
            raise ModelNotReadyError("no model is loaded: promote a version first")
        return Response({"ready": True, "live": True})


@extend_schema(exclude=True)
class SlashedServerView(ServerView):
    """The same under the address some clients end with a slash."""


class ModelView(V2View):
    """A model's metadata."""

    def get(self, request: Request, name: str, number: int | None = None) -> Response:
        """Inputs, outputs and versions."""
        return Response(described(_loaded(name, number)))


class ModelConfigView(V2View):
    """A model's configuration, for clients of Triton."""

    def get(self, request: Request, name: str, number: int | None = None) -> Response:
        """Inputs and outputs in the words of Triton."""
        return Response(describe_config(described(_loaded(name, number))))


class ModelReadyView(V2View):
    """Whether a model, or one of its versions, answers."""

    def get(self, request: Request, name: str, number: int | None = None) -> Response:
        """Readiness of a model."""
        _loaded(name, number)
        return Response({"name": name, "ready": True})


class InferView(V2View):
    """Predict; tensors in JSON, as raw bytes, or some of each."""

    throttle_scope = "predict"
    writes = False

    @property
    def roles(self) -> list[str]:
        """Return who may predict, by setting."""
        return list(setting("CONFIG").allowed_roles)

    @extend_schema(
        tags=["open inference protocol"],
        request={JSON: serializers.InferSerializer, BINARY: OpenApiTypes.BINARY},
        responses={(200, JSON): serializers.InferAnswerSerializer, (200, BINARY): OpenApiTypes.BINARY},
        parameters=[OpenApiParameter(HEADER_LENGTH, int, OpenApiParameter.HEADER, description="Bytes of the JSON.")],
    )
    def post(self, request: Request, name: str, number: int | None = None) -> HttpResponse:
        """Answer with a tensor of predictions, and one of probabilities."""
        asked = parse_infer(body_of(request), _header_length(request), max_depth=setting("CONFIG").security.max_depth)
        answer = predict(
            PredictRequest(
                principal=str(request.user.pk),
                caller=caller_of(request),
                request_id=request._request.request_id,  # type: ignore[attr-defined]  # set by the middleware
                model=name,
                version=number,
                table=asked.table,
            )
        )
        body, header_length = infer_answer(asked, answer)
        if header_length is None:
            return compressed(request, body, JSON)
        response = compressed(request, body, BINARY)
        response[HEADER_LENGTH] = str(header_length)
        return response


def _header_length(request: Request) -> int | None:
    value = request.headers.get(HEADER_LENGTH)
    if value is not None and not _DIGITS.fullmatch(value):
        raise InvalidRequestError(f"{HEADER_LENGTH} must be a whole number of bytes; got {value[:40]}")
    return None if value is None else int(value)


class RepositoryView(V2View):
    """Which models there are."""

    @extend_schema(
        tags=["open inference protocol"], request=None, responses={200: serializers.IndexedModelSerializer(many=True)}
    )
    def post(self, request: Request) -> Response:
        """Every model, whether it answers, and why not."""
        return Response([listed(model) for model in engine.status()])


class ModelControlView(V2View):
    """Loading and unloading, which clients of Triton may ask for."""

    @extend_schema(tags=["open inference protocol"], request=None, responses={422: serializers.V2ErrorSerializer})
    def post(self, request: Request, name: str) -> Response:
        """Say why not: which version serves is decided by promotion, with its gates and its audit entry."""
        raise not_loaded_by_clients(engine.serving(name).model)


class StatisticsView(V2View):
    """How much each version of a model answered."""

    def get(self, request: Request, name: str, number: int | None = None) -> Response:
        """Requests, their time and their rows, since the server started."""
        _loaded(name, number)
        stats = [s for s in counted() if s["name"] == name and number in (None, int(s["version"]))]
        return Response({"model_stats": stats})


class AllStatisticsView(V2View):
    """How much every version of every model answered."""

    @extend_schema(operation_id="v2_all_statistics", request=None, responses={200: dict})
    def get(self, request: Request) -> Response:
        """Requests, their time and their rows, since the server started."""
        return Response({"model_stats": counted()})
