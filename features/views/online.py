"""The newest values of entities over HTTP."""

from dataclasses import asdict

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from features.adapters.entities import read_entities
from features.ground.roles import ADMIN, USER
from features.serializers.online import OnlineAnswerSerializer, OnlineRequestSerializer


class OnlineView(APIView):
    """The newest values of entities."""

    roles = (ADMIN, USER)
    throttle_scope = "features"
    writes = False

    @extend_schema(
        tags=["features"],
        request=OnlineRequestSerializer,
        responses=OnlineAnswerSerializer,
        examples=[
            OpenApiExample("keys", {"view": "carrier", "entities": ["UA", "AA"]}, request_only=True),
            OpenApiExample("columns", {"view": "carrier", "entities": [{"carrier": "UA"}]}, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Return each feature with its age and whether it is present, missing or expired."""
        form = OnlineRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        return Response(asdict(read_entities(asked["view"], asked["entities"], asked.get("features"))))
