"""Errors of the registry, artefacts, gates and promotion."""

from features.ground.errors import DomainError


class ModelsStoreError(DomainError):
    """Base of this app's errors."""

    code = "models_store_error"
