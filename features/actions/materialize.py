"""Bring the newest values of a view into the online store, then point the view at them."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa
from django.utils import timezone

from features.actions.serve_values import begin_snapshot, carry_values, fill_snapshot, serve_snapshot
from features.adapters.as_of import grid_of, values_as_of
from features.adapters.online import online_store
from features.adapters.online_store import OnlineStore
from features.adapters.touched import newest_moment, touched_by_rows, touched_by_time
from features.core.check_values import check_values
from features.core.entity_keys import entity_keys
from features.core.point_in_time import EVENT
from features.core.refresh import can_refresh, values_basis
from features.core.schema import ARROW_TYPES
from features.core.windows import ViewDefinition
from features.errors import EmptyFileError
from features.ground.audit import refusals_audited
from features.ground.canonical import digest
from features.ground.progress import Report, silent
from features.models import DatasetVersion, FeatureSnapshot, FeatureView

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

    def about(self, values: pa.Table) -> dict[str, Any]:
        """Return what the snapshot's row says of the values."""
        dtypes = self.version.dataset.dtypes()
        columns = [{"name": name, "dtype": dtypes[name], "role": "entity"} for name in self.definition.entity]
        columns += [
            {"name": field.name, "dtype": DTYPES[field.type], "role": "feature"}
            for field in values.schema
            if field.name != EVENT
        ]
        about = {"as_of": self.moment, "fingerprint": self.fingerprint, "watermark": self.watermark}
        return about | {"columns": columns}


@refusals_audited("materialize", object_type="feature_view", of="view")
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
    UnknownFeatureViewError, UnknownDatasetVersionError, EmptyFileError
        If the view isn't known, or its dataset has no rows, or had none as of that moment.
    FeatureTestFailedError, OnlineStoreDownError
        If the values fail a test of the view, or the store doesn't answer; what is served stays.
    MaterializeConflictError
        If somebody who began later was faster; their values stay.
    """
    started = time.monotonic()
    work = _work(view, as_of)
    if work.live is not None and work.live.fingerprint == work.fingerprint and not full:
        return _result(work.live.pk, work.live.rows, 0, "unchanged", started)
    report(5, "finding what changed")
    touched = None if full else _touched(work)
    report(15, "computing")
    touched, keys, values = _values(work, touched)
    target = begin_snapshot(work.view, work.version, work.about(values), actor=actor)
    if touched is not None and work.live is not None:
        report(50, "copying what is as it was")
        carry_values(work.store, work.view, work.live, target, entity_keys(touched))
    fill_snapshot(work.store, target, keys, values, report)
    rows = serve_snapshot(work.store, work.view, target, report)
    mode: Mode = "full" if touched is None else "incremental"
    return _result(target.snapshot, rows, rows if touched is None else touched.num_rows, mode, started)


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


def _values(work: _Work, touched: pa.Table | None) -> tuple[pa.Table | None, list[str], pa.Table]:
    """Return the entities that were computed, None for all; and keys, features and event times of those there are."""
    values = values_as_of(work.definition, work.version, work.moment, entities=touched)
    if touched is not None and touched.num_rows and not values.num_rows:
        # Nothing of what was touched is left: perhaps nothing at all is.
        touched, values = None, values_as_of(work.definition, work.version, work.moment)
    if touched is None and not values.num_rows:
        text = f"view {work.view.name!r}: no row was known as of {work.moment.isoformat()}"
        raise EmptyFileError(text, view=work.view.name)
    # Of a view with tests all is computed: they are about all of its values.
    check_values(work.definition, values)
    names = list(work.definition.entity)
    return touched, entity_keys(values.select(names)), values.drop_columns(names)


def _result(snapshot: int, rows: int, changed: int, mode: Mode, started: float) -> MaterializeResult:
    seconds = time.monotonic() - started
    return MaterializeResult(snapshot=snapshot, rows=rows, changed=changed, seconds=seconds, mode=mode)
