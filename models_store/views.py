"""Reads of the registry over HTTP."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from features.ground.roles import READERS
from models_store.core.spec import checked_name
from models_store.models import ModelVersion, ModelVersionQuerySet, RegisteredModel, RegisteredModelQuerySet, Stage
from models_store.serializers import (
    ModelDetailSerializer,
    ModelSerializer,
    VersionDetailSerializer,
    VersionSerializer,
)


class ByName(CursorPagination):
    """Pages of models."""

    ordering = "name"


class ByNumber(CursorPagination):
    """Pages of versions, newest first."""

    ordering = "-number"


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


class VersionDetail(APIView):
    """Show one version."""

    roles = READERS

    @extend_schema(tags=["models"], responses=VersionDetailSerializer)
    def get(self, request: Request, name: str, number: int) -> Response:
        """Show a version's metrics, gates, lineage, schema and signature."""
        version = ModelVersion.objects.resolve(f"{name}@{number}")
        return Response(VersionDetailSerializer(version).data)


def _choice(request: Any, key: str, allowed: list[str]) -> str | None:
    value: str | None = request.query_params.get(key)
    if value is not None and value not in allowed:
        raise ValidationError({key: [f"must be one of {', '.join(allowed)}"]})
    return value
