"""Errors of serving."""

from features.ground.errors import DomainError


class PredictionsError(DomainError):
    """Base of this app's errors."""

    code = "predictions_error"
