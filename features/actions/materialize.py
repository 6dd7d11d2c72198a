"""Bring the newest values of a view into the online store, then point the view at them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from features.adapters.as_of import grid_of, values_as_of
from features.adapters.online import online_store
from features.adapters.online_store import Generation, OnlineStore
from features.adapters.touched import newest_moment, touched_by_rows, touched_by_time
from features.core.entity_keys import entity_keys
from features.core.packed import pack
from features.core.point_in_time import EVENT
from features.core.refresh import can_refresh, values_basis
from features.core.schema import ARROW_TYPES
from features.core.windows import ViewDefinition
from features.errors import EmptyFileError, MaterializeConflictError
from features.ground.canonical import digest
from features.ground.progress import Report, silent
from features.models import DatasetVersion, FeatureSnapshot, FeatureView, OnlineFeature

BATCH_ROWS = 20_000
DTYPES = {kind: dtype for dtype, kind in ARROW_TYPES.items()}
Mode = Literal["full", "incremental", "unchanged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MaterializeResult:
    """What the online store now holds.

    Parameters
    ----------
    snapshot : int
        Id of the online snapshot the view points at.
    rows : int
        Entities in it.
    changed : int
        Entities whose values were computed; those of the others were kept.
    seconds : float
        How long it took.
    mode : str
        full, incremental, or unchanged where nothing was to be done.
    """

    snapshot: int
    rows: int
    changed: int
    seconds: float
    mode: Mode


def materialize(
    view: str, *, as_of: datetime | None = None, full: bool = False, actor: str, report: Report = silent
) -> MaterializeResult:
    """Compute a view's values and serve them from now on.

    Where values are served already, only those are computed that new rows, however late, or the passing of time can
    have changed; the others are copied. The outcome is the same to the bit.

    Parameters
    ----------
    view : str
        `NAME`, or `NAME@N`.
    as_of : datetime, optional
        The moment the values are of; by default just after the newest row known so far.
    full : bool
        Compute every value, even if what is served was built from the same rows as of the same moment.
    actor : str
        Who asks.
    report : Report
        Told how far it is.

    Returns
    -------
    MaterializeResult

    Raises
    ------
    UnknownFeatureViewError, UnknownDatasetVersionError
        If the view isn't known or its dataset has no rows.
    EmptyFileError
        If no row was known as of that moment.
    MaterializeConflictError
        If somebody who began later was faster; their values stay.
    OnlineStoreDownError
        If the store doesn't answer; what is served stays.
    """
    started = time.monotonic()
    work = _work(view, as_of)
    if work.live is not None and work.live.fingerprint == work.fingerprint and not full:
        return _result(work.live.pk, work.live.rows, 0, "unchanged", started)
    report(5, "finding what changed")
    touched = None if full else _touched(work)
    report(15, "computing")
    values = values_as_of(work.definition, work.version, work.moment, entities=touched)
    if touched is not None and touched.num_rows and not values.num_rows:
        # Nothing of what was touched is left: perhaps nothing at all is.
        touched, values = None, values_as_of(work.definition, work.version, work.moment)
    if touched is None and not values.num_rows:
        text = f"view {work.view.name!r}: no row was known as of {work.moment.isoformat()}"
        raise EmptyFileError(text, view=work.view.name)
    keys = entity_keys(values.select(work.definition.entity))
    snapshot = _begin(work, _columns(work.definition, values), actor)
    target = Generation(work.view.pk, snapshot.pk, snapshot.fingerprint)
    if touched is not None and work.live is not None:
        report(50, "copying what is as it was")
        _carry(work, target, entity_keys(touched))
    _fill(work.store, target, keys, values.drop_columns(list(work.definition.entity)), report)
    rows = work.store.count(target)
    report(95, "serving")
    _flip(work, snapshot, rows)
    mode: Mode = "full" if touched is None else "incremental"
    return _result(snapshot.pk, rows, len(keys) if touched is None else touched.num_rows, mode, started)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Work:
    view: FeatureView
    definition: ViewDefinition
    version: DatasetVersion
    moment: datetime
    store: OnlineStore
    live: FeatureSnapshot | None
    fingerprint: str
    watermark: dict[str, Any]


def _work(spec: str, as_of: datetime | None) -> _Work:
    view = FeatureView.objects.resolve(spec)
    version = DatasetVersion.objects.resolve(view.dataset.name)
    definition, dataset, store = view.definition(), version.dataset, online_store()
    moment = as_of or newest_moment(definition, version, timezone.now())
    dtypes = dataset.dtypes()
    used = dict.fromkeys([*definition.entity, *(f.column for f in definition.features if f.column)])
    basis = values_basis(
        view.definition_digest,
        [{"name": name, "dtype": dtypes.get(name, "")} for name in used],
        [dataset.timestamp_column, dataset.known_at_column],
        grid_of(definition, version),
    )
    live = view.live_snapshot
    return _Work(
        view=view,
        definition=definition,
        version=version,
        moment=moment,
        store=store,
        # What the database names counts for nothing unless readers see it too.
        live=live if live is not None and store.live(view.pk) == live.pk else None,
        fingerprint=digest({"view": view.definition_digest, "version": version.fingerprint, "as_of": moment}),
        watermark={"store": store.name, "basis": basis},
    )


def _touched(work: _Work) -> pa.Table | None:
    """Return the entities to compute, or None for all."""
    live, version = work.live, work.version
    if live is None or live.as_of is None:
        return None
    since = live.dataset_version
    later = DatasetVersion.objects.filter(dataset=version.dataset, number__gt=since.number)
    modes = list(later.filter(number__lte=version.number).values_list("mode", flat=True))
    if not can_refresh(live.watermark, **work.watermark, modes=modes, tested=bool(work.view.tests)):
        return None
    by_time = touched_by_time(work.definition, version, live.as_of, work.moment)
    by_rows = touched_by_rows(work.definition, version, since.delta_version) if modes else by_time
    if by_rows is None:
        return None
    return pa.concat_tables([by_time, by_rows]).group_by(list(work.definition.entity)).aggregate([])


def _columns(definition: ViewDefinition, values: pa.Table) -> list[dict[str, Any]]:
    names = [name for name in values.column_names if name != EVENT]
    return [
        {
            "name": name,
            "dtype": DTYPES[values.schema.field(name).type],
            "role": "entity" if name in definition.entity else "feature",
        }
        for name in names
    ]


def _begin(work: _Work, columns: list[dict[str, Any]], actor: str) -> FeatureSnapshot:
    with transaction.atomic(durable=True):
        snapshot = FeatureSnapshot.objects.create(
            name=f"{work.view.name} v{work.view.version} online",
            kind=FeatureSnapshot.Kind.ONLINE,
            dataset_version=work.version,
            as_of=work.moment,
            fingerprint=work.fingerprint,
            rows=0,
            columns=columns,
            watermark=work.watermark,
            actor=actor,
        )
        snapshot.views.set([work.view])
        snapshot.sources.set([work.version])
    return snapshot


def _carry(work: _Work, target: Generation, but: Sequence[str]) -> None:
    """Copy in parts: nobody reads them yet, and nobody else waits long for the store."""
    if work.live is None:
        return
    source = Generation(work.view.pk, work.live.pk, work.live.fingerprint)
    after, done = None, False
    while not done:
        with work.store.writing():
            after = work.store.carry(source, target, but, after)
        done = after is None
    # Values go as a whole, so if all are there now, all were there to be copied.
    if work.store.count(source) != work.live.rows:
        raise _overtaken(work.view)


def _fill(store: OnlineStore, target: Generation, keys: list[str], values: pa.Table, report: Report) -> None:
    features = values.drop_columns([EVENT])
    events = values[EVENT].cast(pa.int64())
    for first in range(0, len(keys), BATCH_ROWS):
        report(60 + 35 * first // len(keys), "writing")
        packed = pack(features.slice(first, BATCH_ROWS), events.slice(first, BATCH_ROWS))
        with store.writing():
            store.put(target, keys[first : first + BATCH_ROWS], packed)


def _flip(work: _Work, snapshot: FeatureSnapshot, rows: int) -> None:
    """Serve the new values; keep the ones before them for who copies them, drop older and unfinished ones."""
    with transaction.atomic(durable=True):
        locked = FeatureView.objects.select_for_update(of=("self",)).get(pk=work.view.pk)
        before = locked.live_snapshot_id
        later = before is not None and before > snapshot.pk
        if not later:
            FeatureSnapshot.objects.filter(pk=snapshot.pk).update(rows=rows)
            FeatureView.objects.filter(pk=locked.pk).update(live_snapshot=snapshot)
    if later:
        # Who began later and was faster took this one for unfinished, and dropped what it had by then.
        _drop([snapshot.pk])
        raise _overtaken(work.view)
    work.store.publish(work.view.pk)
    old = FeatureSnapshot.objects.filter(views=work.view, kind=FeatureSnapshot.Kind.ONLINE, pk__lt=snapshot.pk)
    held = Exists(OnlineFeature.objects.filter(snapshot=OuterRef("pk")))
    _drop(list(old.filter(held).exclude(pk=before).values_list("pk", flat=True)))


def _drop(snapshots: Sequence[int]) -> None:
    for pk in snapshots:
        with transaction.atomic(durable=True):
            OnlineFeature.objects.filter(snapshot=pk).delete()


def _overtaken(view: FeatureView) -> MaterializeConflictError:
    text = f"view {view.name!r} was materialized by somebody who began later: their values are served"
    return MaterializeConflictError(text, view=view.name)


def _result(snapshot: int, rows: int, changed: int, mode: Mode, started: float) -> MaterializeResult:
    seconds = time.monotonic() - started
    return MaterializeResult(snapshot=snapshot, rows=rows, changed=changed, seconds=seconds, mode=mode)
