"""The routes of MLflow's scoring server, for its clients and whatever else sends data frames."""

from typing import Any

import orjson
from django.conf import settings
from django.http import HttpResponse
from django.utils.http import parse_header_parameters
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound, UnsupportedMediaType
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from features.ground.errors import DomainError, bounded
from features.ground.quick_settings import setting
from features.ground.roles import READERS
from predictions import engine, serializers
from predictions.actions.predict import PredictRequest, predict
from predictions.core.arrow_tables import parse_parquet
from predictions.core.csv_rows import parse_csv
from predictions.core.mlflow import parse_invocation
from predictions.core.tables import Table
from predictions.parsers import AnyBodyParser, JsonAlways, body_of, compressed
from predictions.tokens import caller_of
from predictions.views import LimitedView

JSON, CSV, PARQUET = FORMS = ("application/json", "text/csv", "application/vnd.apache.parquet")


@extend_schema(tags=["mlflow"], request=None, responses={(200, "application/json"): str})
class MlflowView(LimitedView):
    """A route of one model, or of the default one."""

    parser_classes = [AnyBodyParser]
    content_negotiation_class = JsonAlways
    throttle_scope = "read"
    roles: Any = READERS


class PingView(MlflowView):
    """Whether a model answers."""

    def get(self, request: Request, name: str | None = None) -> HttpResponse:
        """Answer one newline, or 404."""
        try:
            engine.serving(name).live()
        except DomainError as error:
            raise NotFound(error.message) from error
        return HttpResponse("\n", content_type=JSON)


class VersionView(MlflowView):
    """The server's version."""

    def get(self, request: Request, name: str | None = None) -> HttpResponse:
        """Answer the bare version."""
        return HttpResponse(settings.VERSION, content_type=JSON)


@extend_schema(tags=["mlflow"], request=None, responses={(200, JSON): str, 404: serializers.MlflowErrorSerializer})
class OpenPingView(PingView):
    """The same of the default model, for probes."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = []


class OpenVersionView(VersionView):
    """The same for anyone."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = []


class InvocationsView(MlflowView):
    """Predict from a data frame, in JSON, CSV or Parquet."""

    throttle_scope = "predict"
    writes = False

    @property
    def roles(self) -> list[str]:
        """Return who may predict, by setting."""
        return list(setting("CONFIG").allowed_roles)

    @extend_schema(
        tags=["mlflow"],
        request={JSON: dict, CSV: str, PARQUET: bytes},
        responses={200: serializers.InvocationsAnswerSerializer},
    )
    def post(self, request: Request, name: str | None = None) -> HttpResponse:
        """Answer with one prediction per row."""
        answer = predict(
            PredictRequest(
                principal=str(request.user.pk),
                caller=caller_of(request),
                request_id=request._request.request_id,  # type: ignore[attr-defined]  # set by the middleware
                model=name,
                table=_table(request),
            )
        )
        response = compressed(request, orjson.dumps({"predictions": answer.predictions}), JSON)
        response["X-Prediction-ID"] = str(answer.prediction_id)
        return response


def _table(request: Request) -> Table:
    kind, parameters = parse_header_parameters(request.content_type or "")
    kind = kind.lower()
    if kind not in FORMS or set(parameters) - {"charset"} or parameters.get("charset", "utf-8").lower() != "utf-8":
        text = f"Content-Type must be {', '.join(FORMS)}, in utf-8; got {bounded(request.content_type or 'none', 80)}"
        raise UnsupportedMediaType(kind, text)
    security, body = setting("CONFIG").security, body_of(request)
    if kind == JSON:
        return parse_invocation(body, max_depth=security.max_depth)
    if kind == CSV:
        return parse_csv(body, lenient=True)
    return parse_parquet(body, max_rows=security.max_rows, max_bytes=security.max_request_size)
