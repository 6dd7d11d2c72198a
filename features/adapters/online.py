"""Reading the newest values of entities."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.utils import timezone

from features.errors import NotMaterializedError
from features.models import FeatureView, OnlineFeature

Status = Literal["present", "missing", "expired"]


@dataclass(frozen=True, kw_only=True, slots=True)
class OnlineRow:
    """The newest values of one entity.

    Parameters
    ----------
    key : str
        The entity's key.
    values : dict
        Feature values by name; empty unless present. What is expired is not given out.
    event_at : datetime or None
        Time of the entity's newest row.
    status : str
        present, missing, or expired: older than the view's TTL.
    """

    key: str
    values: dict[str, Any]
    event_at: datetime | None
    status: Status


def read_online(view: str, keys: Sequence[str], *, now: datetime | None = None) -> list[OnlineRow]:
    """Return the newest values of entities, in the order asked for.

    Parameters
    ----------
    view : str
        `NAME`, or `NAME@N`.
    keys : sequence of str
        Entity keys; several columns are joined by `|`.
    now : datetime, optional
        When age is counted from; by default the present.

    Raises
    ------
    UnknownFeatureViewError
        If the view isn't known.
    NotMaterializedError
        If it has no online values yet.
    """
    found = FeatureView.objects.resolve(view)
    if found.live_snapshot_id is None:
        text = f"feature view {found.name!r} has no online values yet; `materialize {found.name}` makes them"
        raise NotMaterializedError(text, view=found.name)
    stored = OnlineFeature.objects.filter(snapshot_id=found.live_snapshot_id, entity_key__in=list(keys))
    rows = {row.entity_key: row for row in stored}
    oldest = None
    if found.ttl_seconds is not None:
        oldest = (now or timezone.now()) - timedelta(seconds=found.ttl_seconds)
    return [_online_row(key, rows.get(key), oldest) for key in keys]


def _online_row(key: str, row: OnlineFeature | None, oldest: datetime | None) -> OnlineRow:
    if row is None:
        return OnlineRow(key=key, values={}, event_at=None, status="missing")
    if oldest is not None and row.event_at is not None and row.event_at < oldest:
        return OnlineRow(key=key, values={}, event_at=row.event_at, status="expired")
    return OnlineRow(key=key, values=row.values, event_at=row.event_at, status="present")
