"""Uploading a file to a dataset from the console: the same action as the API's."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.forms import BoundField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from features.ground.console import actor_of, is_admin, number, page_of
from features.ground.errors import DomainError, TooLargeError
from features.ground.unfold import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget
from features.models import Dataset
from pipeline.actions.ingest_upload import ingest_upload, refuse_upload
from pipeline.adapters.upload_requests import Upload, received
from pipeline.adapters.uploads import max_bytes
from pipeline.serializers import FIX, UploadOptions

ACCEPTED = ".csv,.txt,.tsv,.parquet,.pq,.jsonl,.ndjson,.gz,.zst,.zip"
LISTS = ("entity", "ignore", "key")
USUAL = ("file", "dataset", "target", "timestamp", "entity")
MODES = (
    ("", "they stay"),
    ("replace", "all are replaced"),
    ("upsert", "those with the same key are replaced"),
    (FIX, "they stay; the file mends refused ones"),
)
FORMATS = (("", "as the file's name says"), ("csv", "CSV"), ("parquet", "Parquet"), ("jsonl", "JSON Lines"))


def text(label: str, help_text: str = "") -> forms.CharField:
    """Return an input that may stay empty."""
    return forms.CharField(label=label, help_text=help_text, required=False, widget=UnfoldAdminTextInputWidget)


class UploadForm(forms.Form):
    """Where a file goes and how it is read; what each input may hold is the API's to say."""

    file = forms.FileField(
        label="File",
        help_text="CSV, Parquet or JSON Lines, alone or packed.",
        required=False,  # It is streamed to its place before this form is made.
        widget=UnfoldAdminFileFieldWidget(attrs={"required": True, "accept": ACCEPTED}),
    )
    dataset = forms.CharField(
        label="Dataset",
        help_text="A new name makes a new dataset, with a contract inferred from this file.",
        widget=UnfoldAdminTextInputWidget(attrs={"list": "datasets", "autocomplete": "off"}),
    )
    format = forms.ChoiceField(
        label="Format",
        help_text="Where the file's name doesn't say it.",
        choices=FORMATS,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    mode = forms.ChoiceField(
        label="Rows there are",
        help_text="What becomes of the rows that the dataset has.",
        choices=MODES,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    key = text("Key columns", "Of rows to replace, separated by commas; by default entity and time.")
    delimiter = text("Delimiter", "Of a CSV file: a sign, or tab, semicolon, bar; by default a comma.")
    encoding = text("Encoding", "Such as latin-1; by default UTF-8.")
    timezone = text("Zone of times that name none", "Such as America/New_York; without it they are refused.")
    max_rejected = text("Faulty rows allowed", "A share from 0 to 1; by default the dataset's.")
    target = text("Target column", "The column to predict; of a new dataset, as are the columns beside it.")
    timestamp = text("Time of an event", "The column that says when a row happened.")
    known_at = text("Time it became known", "The column that says when a row could be known, where that is later.")
    entity = text("Entity columns", "Separated by commas.")
    ignore = text("Columns to ignore", "Separated by commas.")

    def usual(self) -> list[BoundField]:
        """Return the inputs that most uploads need."""
        return [self[name] for name in USUAL]

    def rarer(self) -> list[BoundField]:
        """Return the other inputs."""
        return [field for field in self if field.name not in USUAL]

    def options(self) -> QueryDict:
        """Return what was filled in, as the API takes it."""
        asked = QueryDict(mutable=True)
        for name, value in self.data.items():
            if name in self.fields and name != "dataset":
                parts = [part.strip() for part in value.split(",")] if name in LISTS else [value.strip()]
                asked.setlist(name, parts)
        return asked


@csrf_exempt
def upload_view(request: HttpRequest) -> HttpResponse:
    """Show the form, or take a file in and queue its run.

    Exempt only until the file lies on the disk: the token is in the form, and reading it reads the file.
    """
    if not is_admin(request):
        if request.method == "POST":
            # The form has not been read, and is not: where it was to go is not known.
            refuse_upload("", actor=actor_of(request))
        raise PermissionDenied
    if request.method != "POST":
        said = {name: request.GET.get(name, "")[:100] for name in ("dataset", "mode")}
        return page(request, UploadForm(initial=said))
    try:
        with received(request) as upload:
            answered: HttpResponse = csrf_protect(taken)(request, upload)
            return answered
    except DomainError as error:
        return page(request, UploadForm(), [error.message], status=413 if isinstance(error, TooLargeError) else 400)


def taken(request: HttpRequest, upload: Upload) -> HttpResponse:
    """Queue the run of a file that has arrived."""
    form = UploadForm(upload.fields)
    asked = UploadOptions(data=form.options())
    if not asked.is_valid():
        faults = [f"{name}: {' '.join(map(str, said))}" for name, said in asked.errors.items()]
        return page(request, form, faults, status=400)
    options = asked.validated_data
    try:
        run = ingest_upload(
            str(upload.fields.get("dataset", "")).strip(),
            upload.file,
            name=upload.name,
            file_format=options.get("read", {}).get("format") or upload.format,
            options=options,
            actor=actor_of(request),
        )
    except DomainError as error:
        return page(request, form, [error.message], status=400)
    messages.success(request, f"{upload.name} has arrived; a run takes its rows in.")
    return HttpResponseRedirect(page_of(run))


def page(request: HttpRequest, form: UploadForm, faults: Sequence[str] = (), status: int = 200) -> HttpResponse:
    """Return the page of the form."""
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Upload data",
        "form": form,
        "faults": faults,
        "datasets": Dataset.objects.values_list("name", flat=True)[:200],
        "limit": f"{number(max_bytes() // 2**20)} MiB",
    }
    return TemplateResponse(request, "console/upload.html", context, status=status)
