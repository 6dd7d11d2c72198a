"""Datasets and features over HTTP."""

import re
from dataclasses import asdict
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from features.adapters.dataset_reads import with_newest
from features.adapters.quarantine import read_quarantined
from features.errors import UnknownFeatureSnapshotError
from features.ground.pages import MAX_PAGE_SIZE, Pages
from features.ground.roles import READERS
from features.models import Dataset, DatasetVersion, FeatureSnapshot, FeatureView
from features.serializers.datasets import (
    DatasetDetailSerializer,
    DatasetSerializer,
    DatasetVersionDetailSerializer,
    DatasetVersionSerializer,
    SnapshotDetailSerializer,
    SnapshotSerializer,
    ViewDetailSerializer,
    ViewSerializer,
)

END = r"\Z"
NAME = re.compile(r"[\w-]{1,100}\Z", re.ASCII)
TEXT = re.compile(r"[^\x00-\x1f]{1,200}\Z")
MAX_OFFSET = 10_000_000
MAX_VERSION = 10**9 - 1


def words(name: str, allowed: re.Pattern[str]) -> OpenApiParameter:
    """Return how the API's document describes a text that `asked` reads."""
    return OpenApiParameter(name, {"type": "string", "pattern": f"^{allowed.pattern.removesuffix(END)}$"})


def whole(name: str, low: int, high: int, text: str = "") -> OpenApiParameter:
    """Return how the API's document describes a number that `number` reads."""
    return OpenApiParameter(name, {"type": "integer", "minimum": low, "maximum": high}, description=text)


class ByName(Pages):
    """Pages in the order of names."""

    ordering = ("name", "id")


class ByNumber(Pages):
    """Pages of versions, newest first."""

    ordering = ("-number", "id")


class ByTime(Pages):
    """Pages, newest first."""

    ordering = ("-created_at", "-id")


@extend_schema(tags=["data"], parameters=[words("search", TEXT)])
class DatasetList(ListAPIView[Dataset]):
    """List datasets, with the newest version of each."""

    roles = READERS
    serializer_class = DatasetSerializer
    pagination_class = ByName

    def get_queryset(self) -> QuerySet[Dataset]:
        text = asked(self.request, "search", TEXT)
        found = with_newest()
        return found.filter(Q(name__icontains=text) | Q(description__icontains=text)) if text else found


class DatasetDetail(APIView):
    """Show a dataset."""

    roles = READERS

    @extend_schema(tags=["data"], responses=DatasetDetailSerializer)
    def get(self, request: Request, name: str) -> Response:
        """Show a dataset: its newest version, its contract, what is in quarantine, the views on it."""
        found = with_newest().get(pk=Dataset.objects.named(name).pk)
        return Response(DatasetDetailSerializer(found).data)


class DatasetVersionList(ListAPIView[DatasetVersion]):
    """List a dataset's versions, newest first."""

    roles: ClassVar[Any] = READERS
    serializer_class = DatasetVersionSerializer
    pagination_class = ByNumber

    def get_queryset(self) -> QuerySet[DatasetVersion]:
        if getattr(self, "swagger_fake_view", False):
            return DatasetVersion.objects.none()
        return DatasetVersion.objects.filter(dataset=Dataset.objects.named(self.kwargs["name"]))


class DatasetVersionDetail(APIView):
    """Show one version."""

    roles = READERS

    @extend_schema(tags=["data"], responses=DatasetVersionDetailSerializer)
    def get(self, request: Request, name: str, number: int) -> Response:
        """Show a version: what came in, what was refused, and what each column held."""
        return Response(DatasetVersionDetailSerializer(DatasetVersion.objects.resolve(f"{name}@{number}")).data)


class QuarantineList(APIView):
    """Show refused rows."""

    roles = READERS

    @extend_schema(
        tags=["data"],
        responses=OpenApiTypes.OBJECT,
        parameters=[
            whole("version", 1, MAX_VERSION),
            words("reason", TEXT),
            whole("offset", 0, MAX_OFFSET),
            whole("limit", 1, MAX_PAGE_SIZE, "by default 50"),
        ],
    )
    def get(self, request: Request, name: str) -> Response:
        """Show a page of the rows in quarantine, each whole and with all its reasons."""
        offset = number(request, "offset", 0, MAX_OFFSET) or 0
        limit = number(request, "limit", 1, MAX_PAGE_SIZE) or 50
        version, reason = number(request, "version", 1, MAX_VERSION), asked(request, "reason", TEXT)
        dataset = Dataset.objects.named(name)
        page = read_quarantined(dataset, version=version, reason=reason, offset=offset, limit=limit)
        return Response(
            {"total": page.total, "offset": offset, "limit": limit, "results": [asdict(row) for row in page.rows]}
        )


@extend_schema(tags=["features"], parameters=[words("dataset", NAME), words("search", TEXT)])
class ViewList(ListAPIView[FeatureView]):
    """List feature views, the newest version of each."""

    roles = READERS
    serializer_class = ViewSerializer
    pagination_class = ByName

    def get_queryset(self) -> QuerySet[FeatureView]:
        dataset, text = asked(self.request, "dataset", NAME), asked(self.request, "search", TEXT)
        found = FeatureView.objects.newest()
        found = found.filter(dataset__name=dataset) if dataset else found
        return found.filter(Q(name__icontains=text) | Q(description__icontains=text)) if text else found


class ViewDetail(APIView):
    """Show a feature view."""

    roles = READERS

    @extend_schema(tags=["features"], responses=ViewDetailSerializer, parameters=[whole("version", 1, MAX_VERSION)])
    def get(self, request: Request, name: str) -> Response:
        """Show a view's definition and what its online values are read from; by default its newest version."""
        version = number(request, "version", 1, MAX_VERSION)
        return Response(
            ViewDetailSerializer(FeatureView.objects.resolve(f"{name}@{version}" if version else name)).data
        )


@extend_schema(
    tags=["features"],
    parameters=[
        OpenApiParameter("kind", enum=FeatureSnapshot.Kind.values),
        words("dataset", NAME),
        words("name", TEXT),
    ],
)
class SnapshotList(ListAPIView[FeatureSnapshot]):
    """List snapshots, newest first."""

    roles = READERS
    serializer_class = SnapshotSerializer
    pagination_class = ByTime

    def get_queryset(self) -> QuerySet[FeatureSnapshot]:
        kinds = re.compile(f"({'|'.join(FeatureSnapshot.Kind.values)})\\Z")
        wanted = {
            "kind": asked(self.request, "kind", kinds),
            "dataset_version__dataset__name": asked(self.request, "dataset", NAME),
            "name": asked(self.request, "name", TEXT),
        }
        found = FeatureSnapshot.objects.select_related("dataset_version__dataset")
        return found.filter(**{field: value for field, value in wanted.items() if value})


class SnapshotDetail(APIView):
    """Show a snapshot."""

    roles = READERS

    @extend_schema(tags=["features"], responses=SnapshotDetailSerializer)
    def get(self, request: Request, snapshot_id: int) -> Response:
        """Show a snapshot: its columns, what it was made of, and what was trained on it."""
        found = FeatureSnapshot.objects.select_related("dataset_version__dataset").filter(pk=snapshot_id).first()
        if found is None:
            raise UnknownFeatureSnapshotError(f"no snapshot has the id {snapshot_id}", snapshot=snapshot_id)
        return Response(SnapshotDetailSerializer(found).data)


def asked(request: Any, name: str, allowed: re.Pattern[str]) -> str | None:
    """Return a query parameter, or None where it isn't given; 400 if it is nothing of the kind."""
    value: str | None = request.query_params.get(name)
    if value is not None and not allowed.match(value):
        raise ValidationError({name: [f"must match {allowed.pattern.removesuffix(END)}"]})
    return value


def number(request: Any, name: str, low: int, high: int) -> int | None:
    """Return a whole query parameter within bounds, or None where it isn't given; 400 if it is not one."""
    value: str | None = request.query_params.get(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 12 or not low <= int(value) <= high:
        raise ValidationError({name: [f"must be a whole number from {low} to {high}"]})
    return int(value)
