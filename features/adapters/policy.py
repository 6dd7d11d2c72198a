"""Settings of this floor, read when they are needed."""

from django.conf import settings


def default_max_rejected() -> float:
    """Return the share of faulty rows allowed where the dataset says nothing."""
    share: float = settings.CONFIG.features.max_rejected
    return share


def approval_required() -> bool:
    """Return whether rows wait for an approved contract where the dataset says nothing."""
    required: bool = settings.CONFIG.features.require_approval
    return required
