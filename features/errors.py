"""Errors of datasets, features and snapshots."""

from features.ground.errors import DomainError


class FeaturesError(DomainError):
    """Base of this app's errors."""

    code = "features_error"
