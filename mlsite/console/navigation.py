"""The sidebar: the product's nouns, in the order of a model's life."""

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from models_store.models import PromotionRequest
from pipeline.models import Alert, Run

# Title, then the items: title, icon, table.
GROUPS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "Models",
        (
            ("Registered models", "deployed_code", "models_store.registeredmodel"),
            ("Model versions", "model_training", "models_store.modelversion"),
            ("Promotion requests", "rocket_launch", "models_store.promotionrequest"),
            ("Approvals", "how_to_reg", "models_store.approval"),
            ("Waivers", "gavel", "models_store.waiver"),
            ("Gate results", "rule", "models_store.gateresult"),
            ("Audit trail", "history", "models_store.auditentry"),
            ("Audit checkpoints", "verified_user", "models_store.auditcheckpoint"),
            ("Events", "campaign", "models_store.outboxevent"),
            ("Deliveries", "outgoing_mail", "models_store.delivery"),
        ),
    ),
    (
        "Serving",
        (
            ("Predictions", "online_prediction", "predictions.prediction"),
            ("Outcomes", "fact_check", "predictions.outcome"),
            ("Batch scores", "table_view", "pipeline.batchscore"),
            ("Stream consumers", "conveyor_belt", "pipeline.streamconsumer"),
            ("Stream positions", "place_item", "predictions.streamposition"),
        ),
    ),
    (
        "Monitoring",
        (
            ("Drift reports", "monitoring", "pipeline.driftreport"),
            ("Alerts", "notifications", "pipeline.alert"),
        ),
    ),
    (
        "Data",
        (
            ("Datasets", "database", "features.dataset"),
            ("Dataset versions", "layers", "features.datasetversion"),
            ("Contracts", "contract", "features.contractversion"),
            ("Feature views", "function", "features.featureview"),
            ("Snapshots", "photo_camera", "features.featuresnapshot"),
            ("Online features", "bolt", "features.onlinefeature"),
        ),
    ),
    (
        "Jobs",
        (
            ("Runs", "play_circle", "pipeline.run"),
            ("Schedules", "schedule", "django_celery_beat.periodictask"),
        ),
    ),
    (
        "Access",
        (
            ("Users", "person", "auth.user"),
            ("Groups", "group", "auth.group"),
            ("API keys", "vpn_key", "predictions.apikey"),
            ("Tokens", "key", "token_blacklist.outstandingtoken"),
            ("Second factors", "phonelink_lock", "otp_totp.totpdevice"),
        ),
    ),
)
BADGES: dict[str, Callable[[], int]] = {
    "models_store.promotionrequest": PromotionRequest.objects.filter(state="waiting").count,
    "pipeline.alert": Alert.objects.filter(state="open").count,
    "pipeline.run": Run.objects.filter(state="running").count,
}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar for this person: what they may not see isn't there."""
    home = {"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")}
    groups: list[dict[str, Any]] = [{"items": [home]}]
    for title, items in GROUPS:
        shown = [_item(*item) for item in items if _may_see(request, item[2])]
        if shown:
            groups.append({"title": title, "separator": True, "items": shown})
    return groups


def _item(title: str, icon: str, table: str) -> dict[str, Any]:
    item = {"title": title, "icon": icon, "link": reverse(f"admin:{table.replace('.', '_')}_changelist")}
    waiting = BADGES[table]() if table in BADGES else 0
    return item | ({"badge": waiting, "badge_variant": "primary"} if waiting else {})


def _may_see(request: HttpRequest, table: str) -> bool:
    return bool(admin.site._registry[apps.get_model(table)].has_view_permission(request))
