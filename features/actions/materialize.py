"""Bring the newest values of a view into the online store, then point the view at them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db import transaction
from django.utils import timezone

from features.adapters.engine import read_events, values_at
from features.core.check_values import check_values
from features.core.entity_keys import MAX_KEY, entity_key
from features.core.point_in_time import EVENT, KNOWN
from features.core.schema import Column
from features.core.windows import ViewDefinition, value_dtypes
from features.errors import DefinitionError, EmptyFileError, MaterializeConflictError
from features.ground.canonical import digest
from features.models import DatasetVersion, FeatureSnapshot, FeatureView, OnlineFeature

BATCH_ROWS = 2000
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class MaterializeResult:
    """What the online store now holds.

    Parameters
    ----------
    snapshot : int
        Id of the online snapshot the view points at.
    rows : int
        Entities in it.
    seconds : float
        How long it took.
    """

    snapshot: int
    rows: int
    seconds: float


def materialize(view: str, *, as_of: datetime | None = None, full: bool = False, actor: str) -> MaterializeResult:
    """Compute a view's values for every entity and serve them from now on.

    Parameters
    ----------
    view : str
        `NAME`, or `NAME@N`.
    as_of : datetime, optional
        The moment the values are of; by default just after the newest row known so far.
    full : bool
        Build again even if what is served was built from the same rows as of the same moment.
    actor : str
        Who asks.

    Returns
    -------
    MaterializeResult

    Raises
    ------
    UnknownFeatureViewError, UnknownDatasetVersionError
        If the view isn't known or its dataset has no rows.
    EmptyFileError
        If no row was known as of that moment.
    FeatureTestFailedError
        If the values fail one of the view's tests; what is served stays.
    MaterializeConflictError
        If somebody who began later was faster; their values stay.
    """
    started = time.monotonic()
    found = FeatureView.objects.resolve(view)
    version = DatasetVersion.objects.resolve(found.dataset.name)
    events = read_events(found.definition(), version)
    moment = as_of or _newest(events, now=timezone.now())
    fingerprint = digest({"view": found.definition_digest, "version": version.fingerprint, "as_of": moment})
    live = found.live_snapshot
    if live is not None and live.fingerprint == fingerprint and not full:
        return MaterializeResult(snapshot=live.pk, rows=live.rows, seconds=time.monotonic() - started)
    rows = _rows(found.definition(), version, events, moment)
    snapshot = _begin(found, version, moment, fingerprint, len(rows), actor)
    _fill(snapshot, rows)
    _flip(found, snapshot)
    return MaterializeResult(snapshot=snapshot.pk, rows=len(rows), seconds=time.monotonic() - started)


def _newest(events: pa.Table, *, now: datetime) -> datetime:
    if not events.num_rows:
        return now
    newest = max(pc.max(events[EVENT]).as_py(), pc.max(events[KNOWN]).as_py())
    # A row counts from the moment after it happened.
    return min(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=newest) + TICK, now)


def _rows(
    view: ViewDefinition, version: DatasetVersion, events: pa.Table, moment: datetime
) -> list[tuple[str, dict[str, Any], datetime]]:
    """Return key, values and newest event time of each entity with a row by then."""
    at_us = (moment - datetime.fromtimestamp(0, UTC)) // TICK
    known = events.filter(pc.and_(pc.less_equal(events[KNOWN], at_us), pc.less(events[EVENT], at_us)))
    if not known.num_rows:
        raise EmptyFileError(f"view {view.name!r}: no row was known as of {moment.isoformat()}", view=view.name)
    entities = (
        known.group_by(list(view.entity))
        .aggregate([(EVENT, "max")])
        .sort_by([(name, "ascending") for name in view.entity])
    )
    at = pa.chunked_array([pa.array([at_us] * entities.num_rows, pa.int64())]).cast(pa.timestamp("us", tz="UTC"))
    values = values_at(view, version, entities, at)
    check_values(view, values)
    keys = [entity_key(key.values()) for key in entities.select(view.entity).to_pylist()]
    newest = entities[f"{EVENT}_max"].cast(pa.timestamp("us", tz="UTC")).to_pylist()
    long = next((key for key in keys if len(key) > MAX_KEY), None)
    if long is not None:
        raise DefinitionError(f"an entity's key may have {MAX_KEY} characters; got {len(long)}: {long[:60]!r}…")
    return list(zip(keys, values.to_pylist(), newest, strict=True))


def _begin(
    view: FeatureView, version: DatasetVersion, moment: datetime, fingerprint: str, rows: int, actor: str
) -> FeatureSnapshot:
    definition, dtypes = view.definition(), version.dataset.dtypes()
    columns: Sequence[Column] = [
        Column(name=name, dtype=dtype) for name, dtype in value_dtypes(definition, dtypes).items()
    ]
    with transaction.atomic(durable=True):
        snapshot = FeatureSnapshot.objects.create(
            name=f"{view.name} v{view.version} online",
            kind=FeatureSnapshot.Kind.ONLINE,
            dataset_version=version,
            as_of=moment,
            fingerprint=fingerprint,
            rows=rows,
            columns=[column.as_dict() for column in columns],
            actor=actor,
        )
        snapshot.views.set([view])
        snapshot.sources.set([version])
    return snapshot


def _fill(snapshot: FeatureSnapshot, rows: Sequence[tuple[str, dict[str, Any], datetime]]) -> None:
    """Add the values in parts: nobody reads them yet, and nobody else waits long for the database."""
    for first in range(0, len(rows), BATCH_ROWS):
        part = rows[first : first + BATCH_ROWS]
        with transaction.atomic(durable=True):
            OnlineFeature.objects.bulk_create(
                [
                    OnlineFeature(snapshot=snapshot, entity_key=key, values=values, event_at=at)
                    for key, values, at in part
                ]
            )


def _flip(view: FeatureView, snapshot: FeatureSnapshot) -> None:
    """Serve the new values; keep the ones before them for readers on their way, drop older and unfinished ones."""
    with transaction.atomic(durable=True):
        locked = FeatureView.objects.select_for_update(of=("self",)).get(pk=view.pk)
        later = locked.live_snapshot_id is not None and locked.live_snapshot_id > snapshot.pk
        if not later:
            _serve(locked, snapshot)
        else:
            # Who began later and was faster took this one for unfinished, and dropped what it had by then.
            OnlineFeature.objects.filter(snapshot=snapshot).delete()
    if later:
        raise MaterializeConflictError(
            f"view {view.name!r} was materialized by somebody who began later: their values are served", view=view.name
        )


def _serve(locked: FeatureView, snapshot: FeatureSnapshot) -> None:
    kept = {pk for pk in (snapshot.pk, locked.live_snapshot_id) if pk is not None}
    locked.live_snapshot = snapshot
    locked.save(update_fields=["live_snapshot"])
    old = FeatureSnapshot.objects.filter(views=locked, kind=FeatureSnapshot.Kind.ONLINE, pk__lt=snapshot.pk)
    OnlineFeature.objects.filter(snapshot__in=old.exclude(pk__in=kept).values("pk")).delete()
