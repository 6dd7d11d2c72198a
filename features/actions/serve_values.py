"""Write an online snapshot while nobody reads it, then have it read."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from django.db import transaction
from django.db.models import Exists, OuterRef

from features.adapters.online_store import Generation, OnlineStore
from features.core.packed import pack
from features.core.point_in_time import EVENT
from features.errors import MaterializeConflictError
from features.ground.audit import record_audit
from features.ground.progress import Report
from features.models import DatasetVersion, FeatureSnapshot, FeatureView, OnlineFeature

BATCH_ROWS = 20_000


def begin_snapshot(view: FeatureView, version: DatasetVersion, about: Mapping[str, Any], *, actor: str) -> Generation:
    """Record an online snapshot without values.

    Parameters
    ----------
    view : FeatureView
        Whose values it will hold.
    version : DatasetVersion
        The rows they are computed from.
    about : mapping
        as_of, fingerprint, columns and watermark.
    actor : str
        Who asks.

    Returns
    -------
    Generation
        Its name in the store.
    """
    name, kind = f"{view.name} v{view.version} online", FeatureSnapshot.Kind.ONLINE
    with transaction.atomic(durable=True):
        snapshot = FeatureSnapshot.objects.create(
            name=name, kind=kind, dataset_version=version, rows=0, actor=actor, **about
        )
        snapshot.views.set([view])
        snapshot.sources.set([version])
    return Generation(view.pk, snapshot.pk, snapshot.fingerprint)


def carry_values(
    store: OnlineStore, view: FeatureView, live: FeatureSnapshot, target: Generation, but: Sequence[str]
) -> None:
    """Copy served values that are as they were, in parts: nobody else waits long for the store.

    Parameters
    ----------
    store : OnlineStore
        Where both snapshots are.
    view : FeatureView
        Whose values they are.
    live : FeatureSnapshot
        What to copy.
    target : Generation
        Where to.
    but : sequence of str
        Keys to leave out.

    Raises
    ------
    MaterializeConflictError
        If what was to be copied was dropped meanwhile.
    """
    source = Generation(view.pk, live.pk, live.fingerprint)
    after, done = None, False
    while not done:
        with store.writing():
            after = store.carry(source, target, but, after)
        done = after is None
    # Values go as a whole, so if all are there now, all were there to be copied.
    if store.count(source) != live.rows:
        raise _overtaken(view)


def fill_snapshot(
    store: OnlineStore, target: Generation, keys: Sequence[str], values: pa.Table, report: Report
) -> None:
    """Add computed values, in parts.

    Parameters
    ----------
    store : OnlineStore
        Where to.
    target : Generation
        The snapshot.
    keys : sequence of str
        Entity keys.
    values : pyarrow.Table
        Features and `__event`, a row for each key.
    report : Report
        Told how far it is.
    """
    features, events = values.drop_columns([EVENT]), values[EVENT].cast(pa.int64())
    for first in range(0, len(keys), BATCH_ROWS):
        report(60 + 35 * first // len(keys), "writing")
        packed = pack(features.slice(first, BATCH_ROWS), events.slice(first, BATCH_ROWS))
        with store.writing():
            store.put(target, keys[first : first + BATCH_ROWS], packed)


def serve_snapshot(store: OnlineStore, view: FeatureView, target: Generation, report: Report) -> int:
    """Have readers see the new values; keep those before them, drop older and unfinished ones.

    Parameters
    ----------
    store : OnlineStore
        Where the values are.
    view : FeatureView
        The view to point at them.
    target : Generation
        The snapshot, complete.
    report : Report
        Told how far it is.

    Returns
    -------
    int
        How many entities it holds.

    Raises
    ------
    MaterializeConflictError
        If somebody who began later was faster; their values stay.
    """
    report(95, "serving")
    rows = store.count(target)
    with transaction.atomic(durable=True):
        locked = FeatureView.objects.select_for_update(of=("self",)).get(pk=view.pk)
        before = locked.live_snapshot_id
        later = before is not None and before > target.snapshot
        if not later:
            FeatureSnapshot.objects.filter(pk=target.snapshot).update(rows=rows)
            FeatureView.objects.filter(pk=locked.pk).update(live_snapshot=target.snapshot)
            record_audit(
                actor=FeatureSnapshot.objects.values_list("actor", flat=True).get(pk=target.snapshot),
                action="materialize",
                object_type="feature_view",
                object_id=str(view),
                before={"snapshot": before},
                after={"snapshot": target.snapshot, "entities": rows},
            )
    if later:
        # Who began later and was faster took this one for unfinished, and dropped what it had by then.
        _drop([target.snapshot])
        raise _overtaken(view)
    store.publish(view.pk)
    old = FeatureSnapshot.objects.filter(views=view, kind=FeatureSnapshot.Kind.ONLINE, pk__lt=target.snapshot)
    held = old.filter(Exists(OnlineFeature.objects.filter(snapshot=OuterRef("pk"))))
    _drop([pk for pk in held.values_list("pk", flat=True) if pk != before])
    return rows


def _drop(snapshots: Sequence[int]) -> None:
    for pk in snapshots:
        with transaction.atomic(durable=True):
            OnlineFeature.objects.filter(snapshot=pk).delete()


def _overtaken(view: FeatureView) -> MaterializeConflictError:
    text = f"view {view.name!r} was materialized by somebody who began later: their values are served"
    return MaterializeConflictError(text, view=view.name)
