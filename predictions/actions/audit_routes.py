"""Prove that each recorded prediction went the way the split says."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models_store.models import AuditEntry, RegisteredModel
from predictions.adapters.route_key import route_key
from predictions.core.routing import key_name, route_fault
from predictions.models import Prediction

MOST_SHOWN = 20
ROUTED = (Prediction.Role.PRODUCTION, Prediction.Role.CANARY)


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteAudit:
    """What the routes of the log look like.

    Parameters
    ----------
    ok : bool
        Whether none is wrong.
    checked : int
        Predictions whose route was computed again.
    by_other_key : int
        Those that went by a key that is not in force any more, and can't be computed.
    wrong : int
        Those that should have gone another way.
    faults : tuple of dict
        The first of them: prediction_id and why.
    """

    ok: bool
    checked: int
    by_other_key: int
    wrong: int
    faults: tuple[dict[str, str], ...]


def audit_routes(model: str | None = None, *, since: datetime | None = None) -> RouteAudit:
    """Compute every recorded route again, and compare its percentage with the one the registry's audit holds.

    Parameters
    ----------
    model : str, optional
        One model's; those of all if None.
    since : datetime, optional
        Leave out what is older.

    Returns
    -------
    RouteAudit
        How many were checked, and which are wrong.

    Raises
    ------
    UnknownModelError
        If there is no such model.
    """
    rows = Prediction.objects.filter(role__in=ROUTED)
    if model is not None:
        rows = rows.filter(model_version__model=RegisteredModel.objects.named(model))
    if since is not None:
        rows = rows.filter(at__gte=since)
    key, percents = route_key(), _percents()
    checked = other = 0
    faults: list[dict[str, str]] = []
    names = ("pk", "route", "role", "entity_keys", "generation", "fallback", "model_version__model__name")
    for pk, route, role, entities, generation, fallback, name in rows.values_list(*names).iterator(chunk_size=2000):
        if route and route.get("key") != key_name(key):
            other += 1
            continue
        checked += 1
        why = route_fault(route, role, entities=entities, prediction_id=pk, model=name, key=key, fallback=fallback)
        why = why or _percent_fault(route, percents.get((name, generation)))
        if why:
            faults.append({"prediction_id": str(pk), "why": why})
    return RouteAudit(
        ok=not faults, checked=checked, by_other_key=other, wrong=len(faults), faults=tuple(faults[:MOST_SHOWN])
    )


def _percents() -> dict[tuple[str, int], int]:
    """Return the canary's share in each generation of each model, as the audit recorded it."""
    found: dict[tuple[str, int], int] = {}
    entries = AuditEntry.objects.filter(object_type="model_version", after__has_key="generation")
    for name, after in entries.values_list("object_id", "after").iterator():
        found[name.partition("@")[0], int(after["generation"])] = int(after.get("canary_percent") or 0)
    return found


def _percent_fault(route: dict[str, Any], percent: int | None) -> str:
    if not route or percent is None or route["percent"] == percent:
        return ""
    return f"{route['percent']} % is logged, {percent} % was in force"
