"""What data a version was trained on, and how new it is."""

from datetime import datetime
from typing import Any

from django.db.models import Max

from features.models import DatasetVersion, FeatureSnapshot
from models_store.core.gates.known import TrainedOn
from models_store.models import ModelVersion


def trained_on(version: ModelVersion) -> TrainedOn | None:
    """Return the data behind a version's snapshot; None where it was made elsewhere."""
    snapshot = version.snapshot
    if snapshot is None:
        return None
    source = snapshot.dataset_version
    event = _newest_event(source)
    newest = event or source.created_at
    return TrainedOn(
        dataset=str(source),
        newest=min(newest, snapshot.as_of) if snapshot.as_of else newest,
        is_event=event is not None,
        accepted=version.params.get("accepted_findings"),
    )


def data_of(snapshot_id: int | None) -> dict[str, Any]:
    """Return what a snapshot was built of, by name and fingerprint; nothing, where there is none."""
    known = FeatureSnapshot.objects.select_related("dataset_version__dataset")
    snapshot = known.filter(pk=snapshot_id).first() if snapshot_id is not None else None
    if snapshot is None:
        return {}
    sources = {snapshot.dataset_version, *snapshot.sources.select_related("dataset")}
    return {
        "snapshot": {"name": snapshot.name, "fingerprint": snapshot.fingerprint, "rows": snapshot.rows},
        "datasets": [
            {"version": str(source), "fingerprint": source.fingerprint, "rows": source.rows_total}
            for source in sorted(sources, key=str)
        ],
        "views": sorted(f"{view.name}@{view.version}" for view in snapshot.views.all()),
    }


def _newest_event(source: DatasetVersion) -> datetime | None:
    upto = DatasetVersion.objects.filter(dataset=source.dataset_id, number__lte=source.number)
    # What a replacement took away no longer counts, and an append of old rows makes nothing older.
    replaced = upto.filter(mode=DatasetVersion.Mode.REPLACE).aggregate(last=Max("number"))["last"] or 0
    newest: datetime | None = upto.filter(number__gte=replaced).aggregate(newest=Max("last_event_at"))["newest"]
    return newest
