"""What every list of the console can do: be taken away as a file, and come back to the filters a person keeps."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import BinaryField, Field, ForeignKey, Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from features.core.safe_cells import safe_cell
from features.ground.console import number
from features.ground.errors import DomainError
from mlsite.actions.saved_filters import drop_filter, save_filter
from mlsite.models import SavedFilter

# A process answers one request at a time: a larger table is read over the API, page by page.
MOST_ROWS = 100_000
CHUNK = 1000
FORMATS = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
# Who holds them could act as somebody else.
SECRETS = frozenset({"password", "token", "key"})


class Encoder(DjangoJSONEncoder):
    """Writes whatever a column may hold, such as a zone, as its text where it has no form of its own."""

    def default(self, o: Any) -> Any:
        """Return a value JSON knows."""
        try:
            return super().default(o)
        except TypeError:
            return str(o)


class Echo:
    """What the CSV writer writes to: it hands each line back."""

    def write(self, line: str) -> str:
        """Return the line."""
        return line


def tools_of(request: HttpRequest, cl: ChangeList) -> dict[str, Any]:
    """Return what stands above a list."""
    table = cl.opts.label_lower.replace(".", "_")
    query = request.GET.urlencode()
    export = reverse("console-export", args=[table])
    kept = SavedFilter.objects.filter(user_id=request.user.pk or 0, table=table)
    name = cl.opts.verbose_name if cl.result_count == 1 else cl.opts.verbose_name_plural
    return {
        "count": f"{number(cl.result_count)} {name}",
        "exports": [(kind.upper(), f"{export}?{query}{'&' * bool(query)}format={kind}") for kind in FORMATS],
        "limit": number(MOST_ROWS) if cl.result_count > MOST_ROWS else "",
        "keep": reverse("console-keep-filter", args=[table]),
        "query": query,
        "filters": [(found.name, f"?{found.query}", found.query == query) for found in kept],
    }


def page_of_table(table: str) -> "ModelAdmin[Any]":
    """Return the console's page of a table, such as pipeline_run."""
    for model, page in admin.site._registry.items():
        if model._meta.label_lower.replace(".", "_") == table:
            return page
    raise Http404("there is no such list")


@require_GET
def export(request: HttpRequest, table: str) -> StreamingHttpResponse:
    """Send the rows a list shows, with its search and filters, row by row as they are read."""
    page, kind = page_of_table(table), request.GET.get("format", "csv")
    if not page.has_view_permission(request):
        raise PermissionDenied
    if kind not in FORMATS:
        raise BadRequest(f"format must be {' or '.join(FORMATS)}")
    fields, rows = exported_rows(page, request)
    lines = csv_lines(fields, rows) if kind == "csv" else json_lines(fields, rows)
    headers = {"Content-Disposition": f'attachment; filename="{table}.{kind}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(lines, content_type=FORMATS[kind], headers=headers)


def exported_rows(page: "ModelAdmin[Any]", request: HttpRequest) -> tuple[list[Any], Iterable[list[Any]]]:
    """Return the columns of a list and its rows, in the order and with the filters that were asked for."""
    asked = request.GET.copy()
    asked.pop("format", None)
    request.GET = asked  # type: ignore[assignment]  # the list reads its filters from here, and would refuse another
    try:
        shown = page.get_changelist_instance(request)
    except IncorrectLookupParameters as error:
        raise BadRequest("a filter has a value that can't be used") from error
    left_out = {*SECRETS, *(page.exclude or ())}
    fields = [
        field
        for field in page.model._meta.concrete_fields
        if field.name not in left_out and not isinstance(field, BinaryField)
    ]
    joined = (
        {str(path).partition("__")[0] for path in page.list_select_related or ()}
        if isinstance(page.list_select_related, Sequence)
        else set()
    )
    found = shown.queryset[:MOST_ROWS].iterator(chunk_size=CHUNK)
    return fields, ([value_of(row, field, joined) for field in fields] for row in found)


def value_of(row: Model, field: "Field[Any, Any]", joined: set[str]) -> Any:
    """Return what a row holds; of a row it points to its name, where that was read with it."""
    if isinstance(field, ForeignKey) and field.name in joined:
        found = getattr(row, field.name)
        return None if found is None else str(found)
    return getattr(row, field.attname)


def csv_lines(fields: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield the lines of a CSV file whose cells no spreadsheet computes."""
    writer = csv.writer(Echo())
    yield writer.writerow([field.name for field in fields])
    for row in rows:
        yield writer.writerow([safe_cell(as_text(value)) for value in row])


def as_text(value: Any) -> str:
    """Return a value as a cell holds it."""
    if value is None:
        return ""
    plain = value if isinstance(value, str) else json.dumps(value, cls=Encoder, ensure_ascii=False)
    return plain.strip('"') if not isinstance(value, str | dict | list) else plain


def json_lines(fields: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield a JSON list, an object a line."""
    before = "[\n"
    for row in rows:
        told = dict(zip((field.name for field in fields), row, strict=True))
        yield before + json.dumps(told, cls=Encoder, ensure_ascii=False)
        before = ",\n"
    yield "\n]\n" if before != "[\n" else "[]\n"


@require_POST
def keep(request: HttpRequest, table: str) -> HttpResponse:
    """Keep a list's filters under a name, or drop one, and go back to the list."""
    page = page_of_table(table)
    if not page.has_view_permission(request):
        raise PermissionDenied
    name, query = request.POST.get("name", ""), request.POST.get("query", "")
    whose = int(request.user.pk or 0)
    try:
        if "drop" in request.POST:
            drop_filter(whose, table, name=name)
        else:
            kept = save_filter(whose, table, name=name, query=query)
            messages.success(request, f"The filter {kept.name} is kept for you.")
            query = kept.query
    except DomainError as error:
        messages.error(request, error.message)
    # The address is the list's own; what came is no more than its query.
    return HttpResponseRedirect(f"{reverse(f'admin:{table}_changelist')}?{query.lstrip('?')}"[:4000])
