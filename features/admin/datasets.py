"""Datasets and their versions in the console."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from features.adapters.dataset_reads import with_newest
from features.admin.dataset_pages import CONTRACT_KINDS, dataset_panels
from features.admin.filters import ContractFilter, QuarantineFilter
from features.admin.quarantine import quarantine_panel, wanted, whole
from features.admin.version_pages import version_panels
from features.ground.console import ReadOnlyAdmin, ago, is_admin, number, page_of
from features.ground.panels import Panel
from features.ground.unfold import (
    ChoicesDropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
    action,
    badge,
    display,
)
from features.models import Dataset, DatasetVersion

# The upload is a job, so its form is the pipeline's.
UPLOAD = "admin:pipeline_run_upload"


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    """Datasets."""

    next_command = "manage.py ingest DATASET FILE"
    list_display = ("name", "newest", "rows_now", "freshness", "in_quarantine", "contract", "target_column", "made")
    list_filter = (ContractFilter, QuarantineFilter, ("created_at", RangeDateTimeFilter))
    search_fields = ("name", "description", "target_column", "timestamp_column")

    actions_list = ("upload_new",)
    actions_detail = ("upload",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dataset]:
        """Return datasets with what the list shows of each."""
        return with_newest()

    @display(description="Version", ordering="newest_number")
    def newest(self, obj: Any) -> str:
        return number(obj.newest_number)

    @display(description="Rows", ordering="newest_rows")
    def rows_now(self, obj: Any) -> str:
        return number(obj.newest_rows)

    @display(description="Newest event", ordering="newest_event_at")
    def freshness(self, obj: Any) -> Any:
        return ago(obj.newest_event_at)

    @display(description="Quarantine", ordering="open_quarantine")
    def in_quarantine(self, obj: Any) -> str:
        return number(obj.open_quarantine) if obj.open_quarantine else "–"

    @display(description="Contract")
    def contract(self, obj: Any) -> Any:
        return badge(f"{obj.contract_number} {obj.contract_state}".strip(), CONTRACT_KINDS.get(obj.contract_state, ""))

    @display(description="Made", ordering="created_at")
    def made(self, obj: Dataset) -> Any:
        return ago(obj.created_at)

    def panels(self, obj: Dataset, request: HttpRequest) -> Sequence[Panel]:
        """Show the newest state, what is in it, what was refused, the contract, and what is built on it."""
        return dataset_panels(obj, whole(request.GET.get("columns", "")))

    def has_administer_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may bring in data and change contracts."""
        return is_admin(request)

    @action(description="Upload data", url_path="upload", permissions=["administer"], icon="upload")
    def upload_new(self, request: HttpRequest) -> HttpResponse:
        """Go to the form that uploads a file."""
        return HttpResponseRedirect(reverse(UPLOAD))

    @action(description="Upload data", url_path="upload", permissions=["administer"], icon="upload")
    def upload(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Go to the form that uploads a file, with this dataset filled in."""
        name = get_object_or_404(Dataset, pk=object_id).name
        return HttpResponseRedirect(f"{reverse(UPLOAD)}?{urlencode({'dataset': name})}")

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of the quarantine."""
        name, wrapped = "features_dataset_quarantine", self.admin_site.admin_view
        return [path("<int:object_id>/quarantine/", wrapped(self.quarantine), name=name), *super().get_urls()]

    def quarantine(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Show a page of the rows that were refused."""
        dataset = self.seen(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{dataset.name}: quarantine",
            "back": (page_of(dataset), dataset.name),
            "panels": [quarantine_panel(dataset, wanted(request.GET))],
        }
        return TemplateResponse(request, "console/page.html", context)

    def seen(self, request: HttpRequest, object_id: int) -> Dataset:
        """Return a dataset this person may see."""
        dataset = get_object_or_404(Dataset, pk=object_id)
        if not self.has_view_permission(request, dataset):
            raise PermissionDenied
        return dataset


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnlyAdmin):
    """Dataset versions."""

    next_command = "manage.py ingest DATASET FILE"
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
