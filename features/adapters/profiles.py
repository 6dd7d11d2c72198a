"""Stored profiles, as they were computed."""

from dataclasses import fields

from features.core.profile import ColumnSummary, ProfileChange, profile_changes
from features.models import DatasetVersion

NAMES = tuple(field.name for field in fields(ColumnSummary))


def stored_profile(version: DatasetVersion) -> list[ColumnSummary]:
    """Return the profile of each column of a version, in the order of the columns."""
    return [ColumnSummary(**row) for row in version.profiles.order_by("position").values(*NAMES)]


def changes_since(version: DatasetVersion) -> list[ProfileChange]:
    """Name what changed in a version's columns since the version with a profile before it."""
    before = (
        DatasetVersion.objects.filter(dataset=version.dataset, number__lt=version.number, profiles__isnull=False)
        .order_by("-number")
        .first()
    )
    return profile_changes(stored_profile(before), stored_profile(version)) if before else []
