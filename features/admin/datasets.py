"""Datasets and their versions in the console."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from features.actions.approve_contract import approve_contract
from features.actions.edit_contract import edit_contract
from features.adapters.dataset_reads import with_newest
from features.admin.contract_forms import ApproveForm, EditForm
from features.admin.dataset_pages import CONTRACT_KINDS, dataset_panels
from features.admin.filters import ContractFilter, QuarantineFilter
from features.admin.quarantine import EXPORTS, exported, may_export, quarantine_panel, wanted, whole
from features.core.contract_edits import Change
from features.ground.console import UPLOAD_PAGE, ReadOnlyAdmin, actor_of, ago, answer, is_admin, number, page_of
from features.ground.errors import bounded
from features.ground.panels import Panel
from features.ground.unfold import (
    ActionDialog,
    ActionVariant,
    RangeDateTimeFilter,
    action,
    badge,
    display,
)
from features.models import ContractVersion, Dataset

# The upload is a job, so its form is the pipeline's.
UPLOAD = "admin:pipeline_run_upload"


def upload_address(dataset: Dataset, **filled: str) -> str:
    """Return the address of the form that uploads a file, with this dataset filled in."""
    return f"{reverse(UPLOAD)}?{urlencode({'dataset': dataset.name, **filled})}"


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    """Datasets."""

    next_command = "manage.py ingest DATASET FILE"
    next_page = UPLOAD_PAGE
    list_display = ("name", "newest", "rows_now", "freshness", "in_quarantine", "contract", "target_column", "made")
    list_filter = (ContractFilter, QuarantineFilter, ("created_at", RangeDateTimeFilter))
    search_fields = ("name", "description", "target_column", "timestamp_column")

    actions_list = ("upload_new",)
    actions_detail: Sequence[str] = ("approve", "edit_contract", "upload")

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

    def has_approve_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may approve, and there is something to approve."""
        waiting = ContractVersion.objects.filter(
            dataset=object_id, number=F("dataset__contract_number"), state=ContractVersion.State.PROPOSED
        )
        return is_admin(request) and waiting.exists()

    @action(
        description="Approve contract",
        url_path="approve",
        permissions=["approve"],
        icon="verified",
        variant=ActionVariant.PRIMARY,
        dialog=ActionDialog(
            title="Approve this contract?",
            description="You say that it is what the dataset's rows are to meet. It is kept in the audit trail.",
            form_class=ApproveForm,
            form_submit_text="Approve",
        ),
    )
    def approve(self, request: HttpRequest, form: ApproveForm, object_id: str) -> HttpResponse:
        """Approve the contract in force."""
        dataset = get_object_or_404(Dataset, pk=object_id)
        asked = {"number": form.cleaned_data["expected"], "reason": form.cleaned_data["reason"]}

        def work() -> str:
            done = approve_contract(dataset.name, **asked, actor=actor_of(request))
            return f"Contract {done.number} of {dataset.name} is approved."

        return answer(request, page_of(dataset), work)

    @action(
        description="Edit contract",
        url_path="edit-contract",
        permissions=["administer"],
        icon="edit",
        dialog=ActionDialog(
            title="Edit the contract",
            description="The rules hold for rows to come; those in the table stay. You approve what you write.",
            form_class=EditForm,
            form_submit_text="Save",
        ),
    )
    def edit_contract(self, request: HttpRequest, form: EditForm, object_id: str) -> HttpResponse:
        """Change some of what the contract says."""
        dataset = get_object_or_404(Dataset, pk=object_id)
        asked = {name: form.cleaned_data[name] for name in ("changes", "reason", "expected")}

        def work() -> str:
            done = edit_contract(dataset.name, **asked, actor=actor_of(request))
            said = "; ".join(Change(**change).text() for change in done.changes)
            return f"Contract {done.number} of {dataset.name} is in force. {bounded(said, 400)}"

        return answer(request, page_of(dataset), work)

    @action(description="Upload data", url_path="upload", permissions=["administer"], icon="upload")
    def upload_new(self, request: HttpRequest) -> HttpResponse:
        """Go to the form that uploads a file."""
        return HttpResponseRedirect(reverse(UPLOAD))

    @action(description="Upload data", url_path="upload", permissions=["administer"], icon="upload")
    def upload(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Go to the form that uploads a file, with this dataset filled in."""
        return HttpResponseRedirect(upload_address(get_object_or_404(Dataset, pk=object_id)))

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of the quarantine."""
        own = {
            "quarantine": ("<int:object_id>/quarantine/", self.quarantine),
            "quarantine_export": ("<int:object_id>/quarantine/export/", self.quarantine_export),
        }
        routes = [
            path(route, self.admin_site.admin_view(view), name=f"features_dataset_{name}")
            for name, (route, view) in own.items()
        ]
        return [*routes, *super().get_urls()]

    def quarantine(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Show a page of the rows that were refused."""
        dataset = self.seen(request, object_id)
        fix = upload_address(dataset, mode="fix") if is_admin(request) else ""
        panel = quarantine_panel(dataset, wanted(request.GET), exports=may_export(dataset, request), fix=fix)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{dataset.name}: quarantine",
            "back": (page_of(dataset), dataset.name),
            "panels": [panel],
        }
        return TemplateResponse(request, "console/page.html", context)

    def quarantine_export(self, request: HttpRequest, object_id: int) -> StreamingHttpResponse:
        """Send the open rows as a file."""
        dataset, kind = self.seen(request, object_id), request.GET.get("format", "csv")
        if kind not in EXPORTS:
            raise Http404
        if not may_export(dataset, request):
            raise PermissionDenied
        return exported(dataset, wanted(request.GET), kind)

    def seen(self, request: HttpRequest, object_id: int) -> Dataset:
        """Return a dataset this person may see."""
        dataset = get_object_or_404(Dataset, pk=object_id)
        if not self.has_view_permission(request, dataset):
            raise PermissionDenied
        return dataset
