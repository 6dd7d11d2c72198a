"""Runs over HTTP: asked for by administrators, read by every role."""

from typing import Any, cast
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from features.ground.canonical import digest
from features.ground.pages import MAX_PAGE_SIZE, Pages
from features.ground.roles import ADMIN, READERS
from pipeline.actions.runs import enqueue_run
from pipeline.adapters.run_reads import run_as_dict, run_by_id, run_with_log
from pipeline.models import Run
from pipeline.serializers import RunRequest
from predictions.tokens import Principal

MAX_KEY = 200
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key", {"type": "string", "minLength": 1, "maxLength": MAX_KEY}, OpenApiParameter.HEADER
)
FILTERS = {"state": Run.State.values, "kind": Run.Kind.values}
ORDERINGS = ("-created_at", "created_at")


class RunPages(Pages):
    """Newest first, or oldest with `?ordering=created_at`."""

    ordering = "-created_at"

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        """Return the time and, for runs of one instant, the id."""
        return (_choice(request, "ordering", ORDERINGS) or self.ordering, "id")


class RunsView(APIView):
    """The list of runs, and asking for one."""

    roles = {"GET": READERS, "HEAD": READERS, "OPTIONS": READERS, "POST": (ADMIN,)}

    @extend_schema(
        operation_id="api_v1_runs_list",
        parameters=[
            *(OpenApiParameter(name, str, enum=list(values)) for name, values in FILTERS.items()),
            OpenApiParameter("ordering", str, enum=list(ORDERINGS)),
            OpenApiParameter("cursor", str),
            OpenApiParameter("page_size", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE}),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request) -> Response:
        """List runs."""
        chosen = {name: value for name in FILTERS if (value := _choice(request, name, FILTERS[name]))}
        pages = RunPages()
        found = pages.paginate_queryset(Run.objects.filter(**chosen).defer("log"), request, view=self)
        return pages.get_paginated_response([run_as_dict(run) for run in found or ()])

    @extend_schema(
        request=RunRequest,
        responses={202: OpenApiTypes.OBJECT},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Ask for a run: 202 and the run; the same key and body give the same run."""
        asked = RunRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        who = cast(Principal, request.user).name
        run = enqueue_run(**asked.validated_data, actor=who, idempotency_key=stored_key(request, who))
        return Response(run_as_dict(run), status=202, headers={"Location": f"/api/v1/runs/{run.pk}"})


class RunView(APIView):
    """One run."""

    roles = READERS

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, run_id: UUID) -> Response:
        """Show a run, with the last lines it said."""
        return Response(run_with_log(run_by_id(str(run_id))))


def stored_key(request: Request, who: str) -> str | None:
    """Return the key a run is kept under for this caller's Idempotency-Key, or None where none was sent."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_KEY:
        raise ValidationError({"Idempotency-Key": f"must have 1 to {MAX_KEY} characters, got {len(key)}"})
    # One caller's keys are nothing to another.
    return f"api:{digest([who, key])}"


def _choice(request: Request, name: str, allowed: Any) -> str | None:
    value = request.query_params.get(name)
    if value is not None and value not in allowed:
        raise ValidationError({name: f"must be one of {', '.join(allowed)}"})
    return value
