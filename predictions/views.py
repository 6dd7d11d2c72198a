"""The API of serving: tokens, predictions, outcomes."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.views import TokenBlacklistView, TokenObtainPairView, TokenRefreshView

from features.ground.errors import bounded
from features.ground.quick_settings import setting
from features.ground.roles import ADMIN, APPROVER, PROMOTER, READERS
from predictions import serializers
from predictions.actions.log_predictions import flush_log
from predictions.actions.predict import PredictRequest, predict
from predictions.actions.predict_plain import predict_plain
from predictions.actions.record_outcomes import record_outcomes
from predictions.adapters.reads import read_prediction
from predictions.core.arrow_tables import parse_arrow
from predictions.core.csv_rows import parse_csv
from predictions.errors import InvalidRequestError
from predictions.parsers import (
    ARROW,
    CSV,
    AnswerRenderer,
    ArrowBodyParser,
    ArrowRenderer,
    BodyParser,
    CsvBodyParser,
    CsvRenderer,
    SameForm,
    StrictJSONParser,
    body_of,
    media_type,
)
from predictions.throttles import check_token_limit
from predictions.tokens import caller_of

# How tries for tokens are refused, beside what every operation says.
TRIES = {
    401: OpenApiResponse(serializers.ErrorSerializer, "The password or the token is none that is known."),
    429: OpenApiResponse(serializers.ErrorSerializer, "Too many tries; `Retry-After` says for how long."),
    503: OpenApiResponse(serializers.ErrorSerializer, "Tries can't be counted, or the database is away."),
}


class LimitedView(APIView):
    """A view whose callers have so many requests a minute, and are told how many are left."""

    parser_classes = [StrictJSONParser]
    throttle_scope = "api"


class PredictView(LimitedView):
    """Predict with the default model, a model by name, or one of its versions."""

    parser_classes = [BodyParser, ArrowBodyParser, CsvBodyParser]
    renderer_classes = [AnswerRenderer, ArrowRenderer, CsvRenderer]
    content_negotiation_class = SameForm
    throttle_scope = "predict"
    writes = False

    @property
    def roles(self) -> list[str]:
        """Return who may predict, by setting."""
        return list(setting("CONFIG").allowed_roles)

    @extend_schema(
        tags=["predict"],
        request={
            "application/json": serializers.PredictSerializer,
            ARROW: OpenApiTypes.BINARY,
            CSV: OpenApiTypes.STR,
        },
        responses={
            (200, "application/json"): serializers.PredictAnswerSerializer,
            (200, ARROW): OpenApiTypes.BINARY,
            (200, CSV): OpenApiTypes.STR,
        },
        parameters=[OpenApiParameter("explain", bool, description="Say what moved each answer; at most ten rows.")],
        examples=[
            OpenApiExample("rows", {"data": [[5.1, 3.5], [6.2, None]]}, request_only=True),
            OpenApiExample("records", {"records": [{"length": 5.1, "width": 3.5}]}, request_only=True),
            OpenApiExample("entities", {"entities": ["N12345", {"tail": "N54321"}]}, request_only=True),
        ],
    )
    def post(
        self, request: Request, name: str | None = None, number: int | None = None, stage: str | None = None
    ) -> HttpResponse:
        """Answer with one prediction per row."""
        caller, explain, question = caller_of(request), _wants_explanations(request), _question(request)
        asked_by = request._request.request_id  # type: ignore[attr-defined]  # set by the middleware
        if number is None and stage is None and _is_plain(request, question, explain=explain):
            content = predict_plain(question["body"], caller=caller, request_id=asked_by, model=name)
            if content is not None:
                return HttpResponse(content, content_type=AnswerRenderer.media_type)
        return Response(
            predict(
                PredictRequest(
                    principal=caller.name,
                    caller=caller,
                    request_id=asked_by,
                    model=name,
                    version=number,
                    stage=stage,
                    explain=explain,
                    **question,
                )
            )
        )


class PredictStageView(PredictView):
    """Ask the version that holds a stage, whatever share of the traffic it has."""

    @property
    def roles(self) -> list[str]:
        """Return who decides about promotions, and may look at what is not live."""
        return [ADMIN, PROMOTER, APPROVER]


def _wants_explanations(request: Request) -> bool:
    if not request._request.META.get("QUERY_STRING"):
        return False
    value = request.query_params.get("explain", "false").lower()
    if value not in ("true", "false"):
        raise InvalidRequestError(f"explain must be true or false; got {bounded(value, 40)}")
    if value == "true" and request.accepted_renderer.format != AnswerRenderer.format:
        raise InvalidRequestError("explanations are given in JSON: send Accept: application/json")
    return value == "true"


def _is_plain(request: Request, question: dict[str, Any], *, explain: bool) -> bool:
    """Tell whether JSON is asked for JSON, with nothing more said."""
    return "body" in question and not explain and request.accepted_renderer.format == AnswerRenderer.format


def _question(request: Request) -> dict[str, Any]:
    kind, body = media_type(request), body_of(request)
    if kind == ARROW:
        return {"table": parse_arrow(body, max_rows=setting("CONFIG").security.max_rows)}
    return {"table": parse_csv(body, lenient=False)} if kind == CSV else {"body": body}


class FeedbackView(LimitedView):
    """Report what really happened."""

    throttle_scope = "feedback"
    roles = ("admin", "user")

    @extend_schema(
        tags=["outcomes"],
        request=serializers.FeedbackSerializer,
        responses={200: serializers.FeedbackAnswerSerializer},
    )
    def post(self, request: Request) -> Response:
        """Record outcomes by prediction id; late and corrected ones are welcome, all or none are kept."""
        form = serializers.FeedbackSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        flush_log()
        recorded = record_outcomes(form.items(), actor=str(request.user.pk), models=caller_of(request).models)
        return Response({"recorded": recorded})


class PredictionView(LimitedView):
    """Look a prediction up."""

    throttle_scope = "read"
    roles = READERS

    @extend_schema(
        tags=["predict"],
        responses={200: serializers.PredictionSerializer},
    )
    def get(self, request: Request, prediction_id: UUID) -> Response:
        """Return a logged prediction with its outcomes; it is in the log within a second of its answer."""
        flush_log()
        found = read_prediction(prediction_id, models=caller_of(request).models)
        return Response(serializers.PredictionSerializer(found).data)


@extend_schema(tags=["token"], responses={200: serializers.TokenAnswerSerializer} | TRIES, auth=[])
class TokenView(TokenObtainPairView):
    """Give a pair of tokens for a username and password."""

    serializer_class = serializers.TokenPairSerializer
    parser_classes = [StrictJSONParser]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Count the try before the password is looked at."""
        super().initial(request, *args, **kwargs)
        account = request.data.get("username", "") if isinstance(request.data, dict) else ""
        # Spaces around a name are cut off when it is looked up, so here too: they make no new account.
        check_token_limit(request._request, str(account).strip())


@extend_schema(tags=["token"], responses={200: serializers.TokenAnswerSerializer} | TRIES, auth=[])
class TokenRefreshingView(TokenRefreshView):
    """Give a new pair for a refresh token, which is used up by it."""

    serializer_class = serializers.FreshTokenSerializer
    parser_classes = [StrictJSONParser]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Count the try."""
        super().initial(request, *args, **kwargs)
        check_token_limit(request._request, "")


@extend_schema(tags=["token"], responses={200: None} | TRIES, auth=[])
class TokenRevokingView(TokenBlacklistView):
    """Make a refresh token worthless."""

    serializer_class = serializers.RevokedTokenSerializer
    parser_classes = [StrictJSONParser]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Count the try."""
        super().initial(request, *args, **kwargs)
        check_token_limit(request._request, "")
