"""Which message of a stream became which prediction, in the console."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from features.ground.console import ReadOnlyAdmin, as_uuid, link, mono
from features.ground.panels import Facts, Panel
from features.ground.unfold import RangeDateTimeFilter
from predictions.models import Prediction, StreamPosition


@admin.register(StreamPosition)
class StreamPositionAdmin(ReadOnlyAdmin):
    """Positions in streams."""

    next_command = "manage.py consume --source jsonl --model MODEL --input FILE --output FILE"
    list_display = ("topic", "partition", "offset", "at", "prediction_id")
    list_filter = (("at", RangeDateTimeFilter),)
    search_fields = ("topic",)
    search_help_text = "A whole topic or prediction id"
    ordering = ("-at",)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Look up whole topics and ids: there is a row for each message."""
        if not search_term:
            return queryset, False
        return queryset.filter(topic=search_term) | queryset.filter(pk=as_uuid(search_term)), False

    def panels(self, obj: StreamPosition, request: HttpRequest) -> Sequence[Panel]:
        """Show where the message stood, and its prediction."""
        found = Prediction.objects.filter(pk=obj.prediction_id).first()
        pairs = [
            ("Topic", obj.topic),
            ("Partition", obj.partition),
            ("Offset", obj.offset),
            ("Predicted", obj.at.strftime("%Y-%m-%d %H:%M:%S.%f UTC")),
            ("Prediction", link(found) if found else mono(obj.prediction_id)),
        ]
        return (Facts(title="Position in a stream", wide=True, pairs=pairs),)
