"""The registry over HTTP: reads for every role, promotion for those who may."""

from dataclasses import asdict
from typing import Any, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from features.ground.pages import Pages
from features.ground.roles import ADMIN, APPROVER, PROMOTER, READERS
from models_store.actions.approve import approve
from models_store.actions.drill_rollback import drill_rollback
from models_store.actions.edit_card import edit_card
from models_store.actions.model_card import card_of, model_card, written_parts
from models_store.actions.promote import Promotion, promote
from models_store.actions.reject import reject
from models_store.actions.rollback import rollback
from models_store.core.card import missing_parts
from models_store.core.spec import checked_name
from models_store.models import (
    ModelVersion,
    ModelVersionQuerySet,
    PromotionRequest,
    PromotionRequestQuerySet,
    RegisteredModel,
    RegisteredModelQuerySet,
    Stage,
)
from models_store.serializers import (
    ApproveSerializer,
    AskSerializer,
    CardSerializer,
    DrillSerializer,
    EditCardSerializer,
    ExperimentsSerializer,
    ModelDetailSerializer,
    ModelSerializer,
    PromotionSerializer,
    RejectSerializer,
    RequestSerializer,
    RollBackSerializer,
    RolledBackSerializer,
    VersionDetailSerializer,
    VersionSerializer,
    WrittenSerializer,
)


class ByName(Pages):
    """Pages of models."""

    ordering = "name"


class ByNumber(Pages):
    """Pages of versions, newest first."""

    ordering = "-number"


class ByAge(Pages):
    """Pages of promotion requests, newest first."""

    ordering = ("-created_at", "-id")


@extend_schema(tags=["models"], parameters=[OpenApiParameter("task", enum=RegisteredModel.Task.values)])
class ModelList(ListAPIView[RegisteredModel]):
    """List registered models and which of their versions serve."""

    roles = READERS
    serializer_class = ModelSerializer
    pagination_class = ByName

    def get_queryset(self) -> RegisteredModelQuerySet:
        models = RegisteredModel.objects.with_serving()
        task = _choice(self.request, "task", RegisteredModel.Task.values)
        return models.filter(task=task) if task else models


class ModelDetail(APIView):
    """Show a model."""

    roles = READERS

    @extend_schema(tags=["models"], responses=ModelDetailSerializer)
    def get(self, request: Request, name: str) -> Response:
        """Show a model: which versions serve, its policy, its newest versions."""
        model = RegisteredModel.objects.with_serving().named(checked_name(name))
        return Response(ModelDetailSerializer(model).data)


@extend_schema(tags=["models"], parameters=[OpenApiParameter("stage", enum=Stage.values)])
class VersionList(ListAPIView[ModelVersion]):
    """List a model's versions, newest first."""

    roles = READERS
    serializer_class = VersionSerializer
    pagination_class = ByNumber

    def get_queryset(self) -> ModelVersionQuerySet:
        if getattr(self, "swagger_fake_view", False):
            return ModelVersion.objects.none()
        model = RegisteredModel.objects.named(checked_name(self.kwargs["name"]))
        versions = ModelVersion.objects.filter(model=model)
        stage = _choice(self.request, "stage", Stage.values)
        return versions.filter(stage=stage) if stage else versions


class Experiments(APIView):
    """Compare a model's versions."""

    roles = READERS

    @extend_schema(tags=["models"], responses=ExperimentsSerializer)
    def get(self, request: Request, name: str) -> Response:
        """Compare a model's newest 50 versions: parameters in which they differ, metrics with intervals."""
        model = RegisteredModel.objects.named(checked_name(name))
        return Response(ExperimentsSerializer(model).data)


class VersionDetail(APIView):
    """Show one version."""

    roles = READERS

    @extend_schema(tags=["models"], responses=VersionDetailSerializer)
    def get(self, request: Request, name: str, number: int) -> Response:
        """Show a version's metrics, gates, lineage, schema and signature."""
        version = ModelVersion.objects.resolve(f"{name}@{number}")
        return Response(VersionDetailSerializer(version).data)


class MarkdownRenderer(BaseRenderer):
    """Answers with a document."""

    media_type, format, charset = "text/markdown", "markdown", "utf-8"

    def render(self, data: str, *args: Any, **kwargs: Any) -> bytes:
        """Return the text as it is."""
        return data.encode()


class VersionCard(APIView):
    """Show a version's model card."""

    roles = READERS
    renderer_classes = (JSONRenderer, MarkdownRenderer)

    @extend_schema(
        tags=["models"], responses={(200, "application/json"): CardSerializer, (200, "text/markdown"): OpenApiTypes.STR}
    )
    def get(self, request: Request, name: str, number: int) -> Response:
        """Show purpose, use, limits, owner, data, metrics and gates; as Markdown for `Accept: text/markdown`."""
        version = ModelVersion.objects.resolve(f"{name}@{number}")
        as_text = isinstance(request.accepted_renderer, MarkdownRenderer)
        return Response(model_card(version) if as_text else card_of(version))


class EditCard(APIView):
    """Write a model's card."""

    roles = (ADMIN, PROMOTER)

    @extend_schema(tags=["models"], request=EditCardSerializer, responses=WrittenSerializer)
    def patch(self, request: Request, name: str) -> Response:
        """Write parts of a model's card, with a reason; what is left out stays as it is."""
        asked = _checked(EditCardSerializer, request)
        reason = asked.pop("reason")
        written = written_parts(edit_card(name, asked, reason=reason, actor=_actor(request)))
        return Response({"model": name, "written": written, "missing": missing_parts(written)})


class Promote(APIView):
    """Ask for a stage."""

    roles = (ADMIN, PROMOTER)

    @extend_schema(
        tags=["promotion"], request=AskSerializer, responses={200: PromotionSerializer, 202: PromotionSerializer}
    )
    def post(self, request: Request, name: str, number: int) -> Response:
        """Ask that a version take a stage: 200 if it is applied, 202 if it waits for people or for its time."""
        asked = _checked(AskSerializer, request)
        return _answer(promote(f"{name}@{number}", **asked, actor=_actor(request)))


class RollBack(APIView):
    """Return to an earlier production version."""

    roles = (ADMIN, PROMOTER)

    @extend_schema(tags=["promotion"], request=RollBackSerializer, responses=RolledBackSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Put the previous production version back, or the one named by `to`."""
        done = rollback(name, **_checked(RollBackSerializer, request), actor=_actor(request))
        return Response(RolledBackSerializer(asdict(done)).data)


class DrillRollback(APIView):
    """Measure a rollback."""

    roles = (ADMIN, PROMOTER)

    @extend_schema(tags=["promotion"], request=RejectSerializer, responses=DrillSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Roll back and return while this process answers requests of its own, and say what it took."""
        done = drill_rollback(name, **_checked(RejectSerializer, request), actor=_actor(request))
        return Response(asdict(done))


class PromotionList(ListAPIView[PromotionRequest]):
    """List promotion requests, newest first."""

    roles = READERS
    serializer_class = RequestSerializer
    pagination_class = ByAge

    @extend_schema(tags=["promotion"], parameters=[OpenApiParameter("state", enum=PromotionRequest.State.values)])
    def get(self, request: Request) -> Response:
        """List promotion requests, newest first."""
        return self.list(request)

    def get_queryset(self) -> PromotionRequestQuerySet:
        requests = PromotionRequest.objects.presented()
        state = _choice(self.request, "state", PromotionRequest.State.values)
        return requests.filter(state=state) if state else requests


class PromotionDetail(APIView):
    """Show a promotion request."""

    roles = READERS

    @extend_schema(tags=["promotion"], responses=RequestSerializer)
    def get(self, request: Request, number: int) -> Response:
        """Show a promotion request with its approvals and waivers."""
        return Response(RequestSerializer(PromotionRequest.objects.numbered(number)).data)


class Approve(APIView):
    """Approve a promotion request."""

    roles = (ADMIN, APPROVER)

    @extend_schema(
        tags=["promotion"], request=ApproveSerializer, responses={200: PromotionSerializer, 202: PromotionSerializer}
    )
    def post(self, request: Request, number: int) -> Response:
        """Approve somebody else's request: 200 if that applies it, 202 if it waits for more people or for its time."""
        return _answer(approve(number, **_checked(ApproveSerializer, request), actor=_actor(request)))


class Reject(APIView):
    """Reject a promotion request."""

    roles = (ADMIN, APPROVER)

    @extend_schema(tags=["promotion"], request=RejectSerializer, responses=RequestSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Reject a request, with a reason."""
        done = reject(number, **_checked(RejectSerializer, request), actor=_actor(request))
        return Response(RequestSerializer(done).data)


def _checked(form: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    asked = form(data=request.data)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


def _actor(request: Request) -> str:
    # A principal of ours, which the framework's types know nothing of.
    return str(cast(Any, request.user).name)


def _answer(done: Promotion) -> Response:
    status = 200 if done.state == PromotionRequest.State.APPLIED else 202
    return Response(PromotionSerializer(asdict(done)).data, status=status)


def _choice(request: Any, key: str, allowed: list[str]) -> str | None:
    value: str | None = request.query_params.get(key)
    if value is not None and value not in allowed:
        raise ValidationError({key: [f"must be one of {', '.join(allowed)}"]})
    return value
