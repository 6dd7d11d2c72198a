"""Reading the newest values of entities, with their age."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist

from features.adapters.online_database import DatabaseStore
from features.adapters.online_redis import redis_store
from features.adapters.online_store import Generation, OnlineStore
from features.core.packed import unpack
from features.core.schema import Column
from features.errors import NotMaterializedError
from features.models import FeatureSnapshot, FeatureView, OnlineFeature
from features.models.names import split_spec

Status = Literal["present", "missing", "expired"]
EPOCH = datetime.fromtimestamp(0, UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class OnlineValue:
    """One feature of one entity.

    Parameters
    ----------
    value : int, float, bool, str or None
        None unless present. What is expired is not given out.
    age_seconds : float or None
        Since the entity's newest row; None for an entity that has none.
    status : str
        present, missing (no such entity, or nothing to compute the feature from), or expired: older than the TTL.
    """

    value: Any
    age_seconds: float | None
    status: Status


class OnlineRow(NamedTuple):
    """The newest values of one entity; a tuple, because one is made for every read.

    Parameters
    ----------
    key : str
        The entity's key.
    status : str
        present, missing, or expired: older than the view's TTL.
    values : dict
        Feature values by name; empty unless present. What is expired is not given out.
    names : tuple of str
        Every feature of the view, whether or not there are values.
    event_us, age_us : int or None
        Time of the entity's newest row since 1970, and how long ago that is, in microseconds.
    """

    key: str
    status: Status
    values: dict[str, Any]
    names: tuple[str, ...]
    event_us: int | None = None
    age_us: int | None = None

    @property
    def event_at(self) -> datetime | None:
        """Return the time of the entity's newest row."""
        return None if self.event_us is None else EPOCH + MICROSECOND * self.event_us

    @property
    def age_seconds(self) -> float | None:
        """Return how long ago that is."""
        return None if self.age_us is None else self.age_us / 1e6

    def features(self) -> dict[str, OnlineValue]:
        """Return each feature with its own status."""
        return {name: self._feature(name) for name in self.names}

    def _feature(self, name: str) -> OnlineValue:
        value = self.values.get(name)
        status: Status = "missing" if self.status == "present" and value is None else self.status
        return OnlineValue(value=value, age_seconds=self.age_seconds, status=status)


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How the values of one online snapshot are read; as immutable as the snapshot."""

    view: str
    version: int
    snapshot: int
    as_of: datetime | None
    entity: tuple[Column, ...]
    names: tuple[str, ...]
    ttl_us: int | None
    store: str


@lru_cache(maxsize=1)
def online_store() -> OnlineStore:
    """Return the store this installation keeps online values in, asked once: it is a good part of a read."""
    if settings.CONFIG.features.online_store == "redis":
        return redis_store()
    return DatabaseStore()


def read_online(view: str, keys: Sequence[str], *, now: datetime | None = None) -> list[OnlineRow]:
    """Return the newest values of entities, in the order asked for, all of one snapshot.

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
    OnlineStoreDownError
        If the store doesn't answer.
    """
    return read_view(view, keys, now=now)[1]


def read_view(view: str, keys: Sequence[str], *, now: datetime | None = None) -> tuple[Layout, list[OnlineRow]]:
    """Return the same, and how the view's values are read."""
    store = online_store()
    found = store.read(*split_spec(view), keys)
    layout = _known_layout(found.generation) if found else None
    if found is None or layout is None or layout.store != store.name:
        name = FeatureView.objects.resolve(view).name
        text = f"feature view {name!r} has no online values yet; `materialize {name}` makes them"
        raise NotMaterializedError(text, view=name)
    now_us = time.time_ns() // 1000 if now is None else (now - EPOCH) // MICROSECOND
    return layout, [_row(key, found.packed.get(key), layout, now_us) for key in keys]


def served_keys(view: FeatureView, count: int) -> list[str]:
    """Return the keys of a few entities that a view serves values of."""
    live = view.live_snapshot
    return online_store().some_keys(Generation(view.pk, live.pk, live.fingerprint), count) if live else []


def _row(key: str, packed: bytes | None, layout: Layout, now_us: int) -> OnlineRow:
    names = layout.names
    if packed is None:
        return OnlineRow(key, "missing", {}, names)
    event_us, values = unpack(packed)
    age_us = now_us - event_us
    if layout.ttl_us is not None and age_us > layout.ttl_us:
        return OnlineRow(key, "expired", {}, names, event_us, age_us)
    return OnlineRow(key, "present", dict(zip(names, values, strict=True)), names, event_us, age_us)


def _known_layout(generation: Generation) -> Layout | None:
    try:
        return _layout(generation)
    except ObjectDoesNotExist:
        # A store may name what another database made: its values are none of this one's.
        return None


@lru_cache(maxsize=256)
def _layout(generation: Generation) -> Layout:
    """Return what never changes of a snapshot; the pointer to it is never kept."""
    view = FeatureView.objects.get(pk=generation.view)
    snapshot = FeatureSnapshot.objects.get(pk=generation.snapshot, fingerprint=generation.fingerprint)
    columns = [Column(name=c["name"], dtype=c["dtype"], role=c.get("role", "feature")) for c in snapshot.columns]
    return Layout(
        view=view.name,
        version=view.version,
        snapshot=snapshot.pk,
        as_of=snapshot.as_of,
        entity=tuple(column for column in columns if column.role == "entity"),
        names=tuple(column.name for column in columns if column.role != "entity"),
        ttl_us=view.ttl_seconds * 1_000_000 if view.ttl_seconds is not None else None,
        store=str(snapshot.watermark.get("store")),
    )


def stored_values(row: OnlineFeature) -> tuple[datetime, dict[str, Any]]:
    """Return event time and values of a row of the table of online features, whatever its age."""
    names = [column["name"] for column in row.snapshot.columns if column.get("role") != "entity"]
    event_us, values = unpack(bytes(row.packed))
    return EPOCH + MICROSECOND * event_us, dict(zip(names, values, strict=True))
