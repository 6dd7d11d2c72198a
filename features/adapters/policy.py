"""Settings of this floor, read when they are needed."""

from django.conf import settings

from features.adapters.unpacking import Limits


def default_max_rejected() -> float:
    """Return the share of faulty rows allowed where the dataset says nothing."""
    share: float = settings.CONFIG.features.max_rejected
    return share


def approval_required() -> bool:
    """Return whether rows wait for an approved contract where the dataset says nothing."""
    required: bool = settings.CONFIG.features.require_approval
    return required


def file_limits() -> Limits:
    """Return how much an ingested file may hold."""
    config = settings.CONFIG.features
    return Limits(max_ratio=config.max_ratio, max_bytes=config.max_unpacked_mb << 20, max_cells=config.max_cells)


def keep_versions_days() -> int:
    """Return how many days an old version stays readable where the dataset says nothing."""
    days: int = settings.CONFIG.features.keep_versions_days
    return days
