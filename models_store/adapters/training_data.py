"""What data a version was trained on, and how new it is."""

from datetime import datetime

from django.db.models import Max

from features.models import DatasetVersion
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


def _newest_event(source: DatasetVersion) -> datetime | None:
    upto = DatasetVersion.objects.filter(dataset=source.dataset_id, number__lte=source.number)
    # What a replacement took away no longer counts, and an append of old rows makes nothing older.
    replaced = upto.filter(mode=DatasetVersion.Mode.REPLACE).aggregate(last=Max("number"))["last"] or 0
    newest: datetime | None = upto.filter(number__gte=replaced).aggregate(newest=Max("last_event_at"))["newest"]
    return newest
