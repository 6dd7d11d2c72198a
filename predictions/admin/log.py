"""The prediction log and outcomes in the console."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest

from features.ground.console import ReadOnlyAdmin, ago, as_uuid, link, mono, number
from features.ground.errors import bounded
from features.ground.panels import Facts, Panel, Table
from features.ground.unfold import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter, badge, display
from predictions.actions.trace_prediction import Trace, trace_of
from predictions.models import Outcome, Prediction

SHOWN = 50
ROLE_KINDS = {"production": "success", "canary": "warning", "shadow": "info", "pinned": ""}


def output(prediction: Prediction, row: int) -> tuple[Any, str]:
    """Return what was predicted for one row, and its probabilities as text."""
    outputs = prediction.outputs
    values = outputs.get("predictions", []) if isinstance(outputs, dict) else outputs
    shares = (outputs.get("probabilities") or []) if isinstance(outputs, dict) else []
    value = values[row] if row < len(values) else "–"
    chances = " / ".join(f"{share:.3f}" for share in shares[row]) if row < len(shares) else "–"
    return value, chances


@admin.register(Prediction)
class PredictionAdmin(ReadOnlyAdmin):
    """Predictions."""

    next_command = "manage.py predict MODEL --file FILE"
    list_display = (
        "short_id",
        "at",
        "model_version",
        "role_badge",
        "predicted",
        "rows",
        "latency",
        "principal",
        "source",
    )
    list_filter = (
        ("model_version", RelatedDropdownFilter),
        ("role", ChoicesDropdownFilter),
        ("source", ChoicesDropdownFilter),
        ("at", RangeDateTimeFilter),
    )
    list_select_related = ("model_version__model",)
    search_fields = ("id", "request_id", "principal")
    search_help_text = "A whole prediction id, request id or principal (user:NAME), or MODEL@N"

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Look up whole ids: a search by parts would read every row of the largest table there is."""
        if not search_term:
            return queryset, False
        model, _, number = search_term.rpartition("@")
        if model and number.isdecimal() and number.isascii() and len(number) < 10:
            return queryset.filter(model_version__model__name=model, model_version__number=int(number)), False
        found = Q(request_id=search_term) | Q(principal=search_term) | Q(id=as_uuid(search_term))
        return queryset.filter(found), False

    @display(description="Id", ordering="id")
    def short_id(self, obj: Prediction) -> str:
        return str(obj.id)[:8]

    @display(description="Role", label=ROLE_KINDS, ordering="role")
    def role_badge(self, obj: Prediction) -> str:
        return obj.role

    @display(description="Predicted")
    def predicted(self, obj: Prediction) -> str:
        value, chances = output(obj, 0)
        more = f" + {obj.rows - 1} more" if obj.rows > 1 else ""
        return bounded(f"{value} ({chances}){more}" if chances != "–" else f"{value}{more}", 60)

    @display(description="Latency", ordering="latency_ms")
    def latency(self, obj: Prediction) -> str:
        return f"{obj.latency_ms:.2f} ms"

    def panels(self, obj: Prediction, request: HttpRequest) -> Sequence[Panel]:
        """Show the path, the answer with its outcome, then what came in."""
        return (
            Facts(title="Prediction", wide=True, pairs=facts(obj)),
            path_table(trace_of(obj)),
            answers_table(obj),
            inputs_table(obj),
        )


def facts(obj: Prediction) -> list[tuple[str, Any]]:
    """Return who asked what of which version."""
    place = f"{obj.topic} / {obj.partition} / {obj.offset}" if obj.topic else "–"
    return [
        ("Model version", link(obj.model_version)),
        ("Role", badge(obj.role, ROLE_KINDS.get(obj.role, ""))),
        ("At", obj.at.strftime("%Y-%m-%d %H:%M:%S.%f UTC")),
        ("Scoring time", f"{obj.latency_ms:.3f} ms"),
        ("Asked by", obj.principal),
        ("Came through", obj.get_source_display()),
        ("Request id", mono(obj.request_id)),
        ("Prediction id", mono(obj.id)),
        ("Generation", obj.generation),
        ("Stream position", place),
    ]


def path_table(trace: Trace) -> Table:
    """Return what happened, step by step: input, features, version, route, output, outcome."""
    asked = ", ".join(trace.inputs["entities"][:5]) or f"{len(trace.inputs['columns'])} columns"
    steps = [("Input", f"{trace.request['rows']} rows by {trace.request['principal']}: {bounded(asked, 100)}")]
    for found in trace.features:
        as_of = f"as of {found['as_of']:%Y-%m-%d %H:%M:%S}" if found.get("as_of") else "pruned since"
        steps.append(("Features", f"{found['view']}, snapshot {found['snapshot']}, {as_of}"))
    if not trace.features:
        steps.append(("Features", "sent with the request"))
    version = trace.version
    steps.append(("Version", f"{version['model']}@{version['version']}, {version['engine']}, {version['digest'][:12]}"))
    steps.append(("Route", route_text(trace.route)))
    steps.append(("Output", bounded(trace.outputs.get("predictions", []), 100)))
    steps += [
        (f"Beside it, {one['role']}", f"@{one['version']}: {bounded(one['outputs'], 100)}") for one in trace.beside
    ]
    known = [f"row {one['row']}: {one['actual']}, known {one['known_at']:%Y-%m-%d %H:%M}" for one in trace.outcomes]
    steps.append(("Outcome", bounded("; ".join(known), 200) if known else "not known yet"))
    return Table(title="Path", headers=("Step", "What"), rows=steps, wide=True)


def route_text(route: dict[str, Any]) -> str:
    """Return why a version answered, in words."""
    if "beside" in route:
        return f"shadow of {route['beside']}"
    if "bucket" not in route:
        return f"{route['role']}: no canary was loaded" if route["role"] == "production" else str(route["role"])
    said = f"{route['role']}: bucket {route['bucket']} of 10000 by {route['by']}, canary below {route['percent']} %"
    return said if route["right"] else f"{said}; {route['why']}"


def answers_table(obj: Prediction) -> Table:
    """Return each row's answer beside what came true."""
    newest: dict[int, Outcome] = {}
    for known in obj.outcomes.order_by("known_at"):
        newest[known.row] = known
    rows = []
    for row in range(min(obj.rows, SHOWN)):
        value, chances = output(obj, row)
        outcome = newest.get(row)
        actual = number(outcome.actual) if outcome else "not known yet"
        rows.append((row, number(value), chances, actual, ago(outcome.known_at) if outcome else "–"))
    note = f"The first {SHOWN} of {obj.rows} rows." if obj.rows > SHOWN else ""
    headers = ("Row", "Predicted", "Probabilities", "Came true", "Known")
    return Table(title="Answers and outcomes", headers=headers, rows=rows, note=note, wide=True)


def inputs_table(obj: Prediction) -> Table:
    """Return the inputs: a row for each column, a column for each of the first rows."""
    shown = obj.inputs[:5]
    rows = [(mono(name), *(number(cell(row, at, name)) for row in shown)) for at, name in enumerate(obj.columns)]
    headers = ("Column", *(f"Row {at}" for at in range(len(shown))))
    note = f"The first 5 of {obj.rows} rows." if obj.rows > 5 else ""
    return Table(title="Inputs as scored", headers=headers, rows=rows, note=note, wide=True)


def cell(row: Any, at: int, name: str) -> Any:
    """Return one input, whether rows are lists or records."""
    return row.get(name) if isinstance(row, dict) else row[at] if at < len(row) else None


@admin.register(Outcome)
class OutcomeAdmin(ReadOnlyAdmin):
    """Outcomes."""

    next_command = "manage.py outcomes FILE"
    list_display = ("prediction_id", "row", "actual", "observed_at", "known_at", "actor")
    list_filter = (("known_at", RangeDateTimeFilter),)
    search_fields = ("prediction__id",)
    search_help_text = "A whole prediction id"
    raw_id_fields = ("prediction",)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Look up a whole prediction id."""
        return (queryset.filter(prediction=as_uuid(search_term)) if search_term else queryset), False

    def panels(self, obj: Outcome, request: HttpRequest) -> Sequence[Panel]:
        """Show what was said beside what came true."""
        value, chances = output(obj.prediction, obj.row)
        pairs = [
            ("Prediction", link(obj.prediction)),
            ("Model version", link(obj.prediction.model_version)),
            ("Predicted", number(value)),
            ("Probabilities", chances),
            ("Came true", number(obj.actual)),
            ("Happened", obj.observed_at),
            ("Known here", obj.known_at),
            ("Reported by", obj.actor),
        ]
        return (Facts(title="Outcome", wide=True, pairs=pairs),)
