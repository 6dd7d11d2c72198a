"""The front page: what serves, how busy it is, and what needs a person."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from features.ground.console import TRAIN_PAGE, UPLOAD_PAGE, ago, is_admin, line, link, list_of, number, page_of
from features.ground.panels import Chart, Figures, Panel, Table
from features.ground.unfold import badge
from mlsite.console import traffic
from models_store.admin.panels import stage_badge
from models_store.models import AuditEntry, ModelVersion, PromotionRequest, RegisteredModel
from pipeline.admin.drift import verdict
from pipeline.admin.products import SEVERITY_KINDS
from pipeline.admin.run_panels import STATE_KINDS, UNDER_WAY, duration
from pipeline.models import Alert, DriftReport, Run

REQUESTS = "models_store_promotionrequest"
SERVING = ("production", "canary", "shadow")
RECENT = 8


def first_steps(request: HttpRequest) -> dict[str, Any] | None:
    """Return what to do next where there is no model yet, and the pages to do it on, for who may."""
    if RegisteredModel.objects.exists():
        return None
    pages = (UPLOAD_PAGE, TRAIN_PAGE) if is_admin(request) else ()
    return {
        "title": "No model yet",
        "steps": [(name, reverse(page)) for name, page in pages],
        "text": "Or in a shell: fill the site with a working example on real flights, or take in data of your own.",
        "commands": "make run                                    # the example, then this site\n"
        ".venv/bin/python manage.py demo             # the example alone\n"
        ".venv/bin/python manage.py ingest DATASET FILE",
    }


def dashboard_panels() -> list[Panel]:
    """Return the panels of the front page."""
    now = timezone.now()
    hours = traffic.hourly(now)
    waiting = waiting_table()
    return [
        Figures(title="Last 24 hours", wide=True, figures=figures(hours, now)),
        models_table(now),
        *((waiting,) if waiting.rows else ()),
        requests_chart(hours),
        latency_chart(hours),
        runs_table(),
        drift_table(),
        alerts_table(),
        audit_table(now),
    ]


def figures(hours: Sequence[traffic.Bucket], now: datetime) -> list[tuple[str, Any, Any, str]]:
    """Return the numbers at the top: name, value, what it means, where to look."""
    total = sum(hour.requests for hour in hours)
    busiest = max(hours, key=lambda hour: hour.requests)
    last = next((hour for hour in reversed(hours) if hour.requests), None)
    failed = Run.objects.filter(state="failed", finished_at__gte=now - timedelta(hours=traffic.HOURS)).count()
    alerts = Alert.objects.filter(state="open").count()
    waiting = PromotionRequest.objects.filter(state="waiting").count()
    peak = f"at most {number(busiest.requests)} in an hour" if total else "none yet"
    p50, p95 = (last.p50_ms, last.p95_ms) if last else (None, None)
    when = f"hour from {last.start:%H:%M} UTC" if last else "no request yet"
    return [
        ("Predictions", number(total), peak, list_of("predictions_prediction")),
        ("Median time", milliseconds(p50), when, ""),
        ("95th percentile", milliseconds(p95), when, ""),
        ("Error rate", *error_rate(), ""),
        ("Failed runs", failed, "in 24 hours", list_of("pipeline_run", state__exact="failed")),
        ("Open alerts", alerts, "to be looked at", list_of("pipeline_alert", state__exact="open")),
        (
            "Waiting approvals",
            waiting,
            "to be decided",
            list_of("models_store_promotionrequest", state__exact="waiting"),
        ),
    ]


def error_rate() -> tuple[str, str]:
    """Return which share of the API's answers were faults of the server, and of how many."""
    answers, faults = traffic.api_answers()
    if not answers:
        return "–", "no request since the start"
    return f"{faults / answers:.2%}", f"{number(faults)} of {number(answers)} answers were 5xx since the start"


def milliseconds(value: float | None) -> str:
    """Return a latency with its unit."""
    return "–" if value is None else f"{value:.2g} ms" if value < 10 else f"{value:,.0f} ms"


def models_table(now: datetime) -> Table:
    """Return each model's serving versions with their traffic and latency, and the last verdict."""
    versions = ModelVersion.objects.filter(stage__in=SERVING).select_related("model")
    serving: dict[int, dict[str, ModelVersion]] = {}
    for version in versions:
        serving.setdefault(version.model_id, {})[version.stage] = version
    rows = [model_row(model, serving.get(model.pk, {}), now) for model in RegisteredModel.objects.all()]
    headers = ("Model", "Production", "Canary", "Shadow", "Predictions, 24 h", "95th percentile", "Last drift verdict")
    empty = "No model is registered. Next: make run, or manage.py demo"
    return Table(title="Models", headers=headers, rows=rows, empty=empty, wide=True)


def model_row(model: RegisteredModel, at: dict[str, ModelVersion], now: datetime) -> list[Any]:
    """Return a model's row."""
    canary = f"{model.canary_percent} %" if "canary" in at else ""
    stages = [staged(at.get("production")), staged(at.get("canary"), canary), staged(at.get("shadow"))]
    asked = by_stage(at, lambda version: number(traffic.asked(version.pk, now)))
    p95 = by_stage(at, lambda version: milliseconds(traffic.percentile(traffic.newest_latencies(version.pk), 0.95)))
    return [link(model), *stages, asked, p95, last_verdict(model)]


def by_stage(at: dict[str, ModelVersion], what: Callable[[ModelVersion], str]) -> Any:
    """Return something of each version that serves, a line each."""
    lines = ((what(at[stage]), stage) for stage in SERVING if stage in at)
    return format_html_join("", '<div class="c-line">{} {}</div>', lines) or "–"


def last_verdict(model: RegisteredModel) -> Any:
    """Return what the newest drift report said, with a link to it."""
    report = DriftReport.objects.filter(model_version__model=model).select_related("model_version__model").first()
    if report is None:
        return "–"
    return format_html(
        '{} <a class="c-link" href="{}">{}</a>', verdict(report), page_of(report), ago(report.created_at)
    )


def staged(version: ModelVersion | None, more: str = "") -> Any:
    """Return a serving version with its stage."""
    if version is None:
        return "–"
    since = ago(version.stage_changed_at or version.created_at)
    badge_and_age = '{} {} {}<div class="c-line">{}</div>'
    return format_html(badge_and_age, link(version, f"@{version.number}"), stage_badge(version.stage), more, since)


def requests_chart(hours: Sequence[traffic.Bucket]) -> Chart:
    """Return the panel of requests by hour."""
    total = sum(hour.requests for hour in hours)
    return Chart(
        title="Predictions by hour",
        kind="bar",
        labels=[f"{hour.start:%H:%M}" for hour in hours],
        series={"predictions": [hour.requests for hour in hours]},
        summary=f"{number(total)} in 24 hours, {total / traffic.HOURS / 3600:.3g} a second on average. Times are UTC.",
    )


def latency_chart(hours: Sequence[traffic.Bucket]) -> Chart:
    """Return the panel of latencies by hour."""
    return Chart(
        title="Scoring time by hour",
        labels=[f"{hour.start:%H:%M}" for hour in hours],
        series={"median": [hour.p50_ms for hour in hours], "95th percentile": [hour.p95_ms for hour in hours]},
        y_title="ms",
        summary=f"Of the newest {traffic.SAMPLE} predictions of each hour. Times are UTC.",
    )


def runs_table() -> Table:
    """Return the newest runs, those that failed first."""
    runs = Run.objects.defer("log").order_by("-enqueued_at")
    failing = list(runs.filter(state="failed")[:3])
    recent = [run for run in runs[:RECENT] if run not in failing]
    rows = [run_row(run) for run in [*failing, *recent]]
    headers = ("Run", "State", "Step or error", "Took", "Asked")
    empty = "No run yet. Next: Train a model, on the page of a dataset."
    return Table(title="Runs", headers=headers, rows=rows, empty=empty, wide=True)


def run_row(run: Run) -> Sequence[Any]:
    """Return a run's row."""
    state = badge(run.state, STATE_KINDS.get(run.state, ""))
    said = run.error_code or (run.step if run.state in UNDER_WAY else "") or "–"
    return (link(run), state, said, duration(run), ago(run.enqueued_at))


def alerts_table() -> Table:
    """Return the open alerts."""
    alerts = Alert.objects.filter(state="open").order_by("severity", "-last_at")[:RECENT]
    rows = [(link(a), badge(a.severity, SEVERITY_KINDS.get(a.severity, "")), a.times, ago(a.last_at)) for a in alerts]
    headers = ("Alert", "Severity", "Times", "Last")
    return Table(title="Open alerts", headers=headers, rows=rows, empty="No alert is open.")


def drift_table() -> Table:
    """Return the newest drift reports."""
    reports = DriftReport.objects.select_related("model_version__model")[:RECENT]
    rows = [(link(r, str(r.model_version)), verdict(r), f"{r.drift_share:.0%}", ago(r.created_at)) for r in reports]
    headers = ("Model version", "Verdict", "Columns drifted", "Made")
    empty = "No report yet. Next: More, Run drift report, on the page of a model version."
    return Table(title="Drift reports", headers=headers, rows=rows, empty=empty)


def waiting_table() -> Table:
    """Return the promotions that wait for a second person."""
    requests = PromotionRequest.objects.filter(state="waiting").select_related("version__model")[:RECENT]
    rows = [
        (link(r, str(r.version)), stage_badge(r.target_stage), r.requester, r.reason, ago(r.created_at))
        for r in requests
    ]
    headers = ("Version", "To", "Asked by", "Why", "When")
    return Table(title="Waiting for approval", headers=headers, rows=rows, wide=True)


def audit_table(now: datetime) -> Table:
    """Return what was changed in the last 24 hours, refused deeds too."""
    entries = AuditEntry.objects.filter(at__gte=now - timedelta(hours=traffic.HOURS)).order_by("-id")
    rows = [(ago(e.at), e.actor, link(e, e.action), line(e.object_id), e.reason or "–") for e in entries[:RECENT]]
    total = entries.count()
    note = f"The newest {RECENT} of {total}; the audit trail has them all." if total > RECENT else ""
    headers = ("When", "Who", "What", "Object", "Why")
    empty = "Nothing has changed in 24 hours."
    return Table(title="What changed today", note=note, headers=headers, rows=rows, empty=empty, wide=True)
