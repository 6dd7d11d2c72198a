"""Dataset versions in the console."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from features.admin.version_pages import version_panels
from features.ground.console import UPLOAD_PAGE, ReadOnlyAdmin, ago
from features.ground.panels import Panel
from features.ground.unfold import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter, display
from features.models import DatasetVersion


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnlyAdmin):
    """Dataset versions."""

    next_command = "manage.py ingest DATASET FILE"
    next_page = UPLOAD_PAGE
    list_display = (
        "__str__", "mode", "rows_valid", "rows_rejected", "rows_total", "last_event_at", "source", "actor", "made",
    )  # fmt: skip
    list_filter = (
        ("dataset", RelatedDropdownFilter),
        ("mode", ChoicesDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    )
    list_select_related = ("dataset",)
    search_fields = ("dataset__name", "fingerprint", "source")
    date_hierarchy = "created_at"

    @display(description="Made", ordering="created_at")
    def made(self, obj: DatasetVersion) -> Any:
        return ago(obj.created_at)

    def panels(self, obj: DatasetVersion, request: HttpRequest) -> Sequence[Panel]:
        """Show what came in, why rows were refused, and what was built on it."""
        return version_panels(obj)
