"""Errors of jobs, training, scoring, drift and streams."""

from features.ground.errors import DomainError


class PipelineError(DomainError):
    """Base of this app's errors."""

    code = "pipeline_error"
