"""Versions of a dataset over HTTP: listed as the data floor does, made by uploading a file."""

from typing import Any, ClassVar, NoReturn, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from features.ground.roles import ADMIN, READERS
from features.views.datasets import DatasetVersionList
from pipeline.actions.ingest_upload import ingest_upload, refuse_upload
from pipeline.adapters.run_reads import run_as_dict
from pipeline.adapters.upload_requests import received
from pipeline.serializers import UploadOptions
from pipeline.views import IDEMPOTENCY_KEY, stored_key
from predictions.tokens import Principal

BODIES = {
    "multipart/form-data": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}},
    "application/octet-stream": {"type": "string", "format": "binary"},
}


class DatasetVersionsView(DatasetVersionList):
    """A dataset's versions, and adding one."""

    roles: ClassVar[Any] = {"GET": READERS, "HEAD": READERS, "OPTIONS": READERS, "POST": (ADMIN,)}

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> NoReturn:
        """Have a refused upload of a known caller recorded, at most as often as the rate limit lets them ask."""
        if request.method == "POST" and getattr(request.user, "is_authenticated", False):
            self.throttle_scope = "refused"
            self.check_throttles(request)
            refuse_upload(self.kwargs["name"], actor=cast(Principal, request.user).name)
        super().permission_denied(request, message, code)

    @extend_schema(
        tags=["data"],
        request=BODIES,
        responses={202: OpenApiTypes.OBJECT},
        parameters=[UploadOptions, IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, name: str) -> Response:
        """Upload a file: 202 and the run that ingests it; the same key, bytes and options give the same run."""
        who = cast(Principal, request.user).name
        key = stored_key(request, who)
        # The body is read here, a piece at a time, and by nothing before.
        with received(request._request) as upload:
            asked = UploadOptions(data=upload.fields)
            asked.is_valid(raise_exception=True)
            run = ingest_upload(
                name,
                upload.file,
                name=upload.name,
                file_format=asked.validated_data.get("read", {}).get("format") or upload.format,
                options=asked.validated_data,
                actor=who,
                idempotency_key=key,
            )
        return Response(run_as_dict(run), status=202, headers={"Location": f"/api/v1/runs/{run.pk}"})
