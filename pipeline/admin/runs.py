"""Runs in the console."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path

from features.ground.console import TRAIN_PAGE, ReadOnlyAdmin, actor_of, ago, answer, as_uuid, is_admin, page_of
from features.ground.panels import Code, Panel, Table
from features.ground.unfold import (
    ActionDialog,
    ActionVariant,
    ChoicesDropdownFilter,
    RangeDateTimeFilter,
    action,
    display,
)
from pipeline.actions.runs import cancel_run, retry_run
from pipeline.admin.run_forms import ChangeRunForm
from pipeline.admin.run_panels import (
    STATE_KINDS,
    UNDER_WAY,
    duration,
    made_table,
    pairs_of,
    params_table,
    progress_of,
    progress_panel,
    run_facts_table,
)
from pipeline.admin.uploads import upload_view
from pipeline.models import Run

ENDED_BADLY = (Run.State.FAILED, Run.State.CANCELLED)


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Runs."""

    next_command = "manage.py train MODEL --dataset DATASET"
    next_page = TRAIN_PAGE
    list_display = ("__str__", "state_badge", "percent", "step", "error_code", "attempt", "actor", "enqueued", "took")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("enqueued_at", RangeDateTimeFilter),
    )
    search_fields = ("schedule", "idempotency_key", "worker", "error_code", "error")
    date_hierarchy = "enqueued_at"
    exclude = ("log",)
    actions_detail = ("cancel", "retry")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Look up a whole id, else search the texts."""
        if run_id := as_uuid(search_term):
            return queryset.filter(id=run_id), False
        return super().get_search_results(request, queryset, search_term)

    @display(description="State", label=STATE_KINDS, ordering="state")
    def state_badge(self, obj: Run) -> str:
        return obj.state

    @display(description="Progress", ordering="progress")
    def percent(self, obj: Run) -> str:
        return f"{obj.progress} %"

    @display(description="Asked", ordering="enqueued_at")
    def enqueued(self, obj: Run) -> Any:
        return ago(obj.enqueued_at)

    @display(description="Took")
    def took(self, obj: Run) -> str:
        return duration(obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """Leave the log where it is: a list shows none."""
        return super().get_queryset(request).defer("log")

    def get_urls(self) -> list[URLPattern]:
        """Add the page that uploads a file, and what a run's page asks again and again."""
        upload = self.admin_site.admin_view(upload_view)
        progress = self.admin_site.admin_view(self.progress)
        return [
            path("upload/", upload, name="pipeline_run_upload"),
            path("<uuid:run_id>/progress/", progress, name="pipeline_run_progress"),
            *super().get_urls(),
        ]

    def progress(self, request: HttpRequest, run_id: UUID) -> JsonResponse:
        """Say how far a run is and what it said last."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = get_object_or_404(Run, pk=run_id)
        return JsonResponse(progress_of(run))

    def panels(self, obj: Run, request: HttpRequest) -> Sequence[Panel]:
        """Show how far it is or why it failed, then what it was given and made."""
        error = (Code(title="Error", note=obj.error_code, text=obj.error, wide=True),) if obj.error_code else ()
        made, ended = made_table(obj), obj.state not in UNDER_WAY
        result = pairs_of(obj.result)
        return (
            progress_panel(obj),
            *error,
            # What somebody waited for comes first.
            *([made] if made.rows else []),
            run_facts_table(obj),
            params_table(obj.params),
            Table(title="Result", headers=("Name", "Value"), rows=result, empty="None yet.", foldable=True),
            *([made] if ended and not made.rows else []),
        )

    def has_cancel_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may stop this run: it must not have ended."""
        return is_admin(request) and Run.objects.filter(pk=object_id, state__in=UNDER_WAY).exists()

    def has_retry_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may queue this run again: it must have failed or been cancelled."""
        return is_admin(request) and Run.objects.filter(pk=object_id, state__in=ENDED_BADLY).exists()

    @action(
        description="Cancel",
        url_path="cancel",
        permissions=["cancel"],
        icon="cancel",
        variant=ActionVariant.DANGER,
        dialog=ActionDialog(
            title="Cancel this run?",
            description="A run that waits is never started; one under way stops at its next step. "
            "What it has already finished stays.",
            form_class=ChangeRunForm,
            form_submit_text="Cancel the run",
        ),
    )
    def cancel(self, request: HttpRequest, form: ChangeRunForm, object_id: str) -> HttpResponse:
        """Stop a run."""
        run = get_object_or_404(Run, pk=object_id)

        def work() -> str:
            return f"{cancel_run(run.pk, actor=actor_of(request), reason=form.cleaned_data['reason'])} is cancelled."

        return answer(request, page_of(run), work)

    @action(
        description="Retry",
        url_path="retry",
        permissions=["retry"],
        icon="replay",
        variant=ActionVariant.PRIMARY,
        dialog=ActionDialog(
            title="Queue this run again?",
            description="It starts over with the same parameters and all its attempts, in your name. "
            "What it said went wrong is forgotten here, and kept in the audit trail.",
            form_class=ChangeRunForm,
            form_submit_text="Retry",
        ),
    )
    def retry(self, request: HttpRequest, form: ChangeRunForm, object_id: str) -> HttpResponse:
        """Queue a run again."""
        run = get_object_or_404(Run, pk=object_id)

        def work() -> str:
            return f"{retry_run(run.pk, actor=actor_of(request), reason=form.cleaned_data['reason'])} is queued again."

        return answer(request, page_of(run), work)
