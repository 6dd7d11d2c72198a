"""Errors of jobs, training, scoring, drift and streams."""

from features.ground.errors import (
    ConflictError,
    DomainError,
    FencedError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
    TooLargeError,
    UnavailableError,
)


class PipelineError(DomainError):
    """Base of this app's errors."""

    code = "pipeline_error"


class UnknownRunError(PipelineError, NotFoundError):
    """No run has this id."""

    code = "unknown_run"


class UnknownRunKindError(PipelineError, InvalidInputError):
    """Nothing here does this kind of work."""

    code = "unknown_run_kind"


class IdempotencyMismatchError(PipelineError, RefusedError):
    """The key was used before, for something else."""

    code = "idempotency_mismatch"


class RunStateError(PipelineError, ConflictError):
    """The run is in a state that does not allow this."""

    code = "run_state"


class LeaseLostError(PipelineError, FencedError):
    """Another worker holds the run, or it was cancelled."""

    code = "lease_lost"


class BadUploadError(PipelineError, InvalidInputError):
    """The request holds no file that can be taken in."""

    code = "bad_upload"


class UploadTooLargeError(PipelineError, TooLargeError):
    """The file is over the limit of an upload."""

    code = "upload_too_large"


class UploadNotStoredError(PipelineError, UnavailableError):
    """The file could not be stored; nothing of it was left."""

    code = "upload_not_stored"


class UploadGoneError(PipelineError, NotFoundError):
    """The uploaded file of this run was removed."""

    code = "upload_gone"


class InvalidScheduleError(PipelineError, InvalidInputError):
    """A schedule names no known work or no known rhythm."""

    code = "invalid_schedule"


class AlertDeliveryError(PipelineError, UnavailableError):
    """The channel did not take the alert."""

    code = "alert_delivery"


class UnknownFileError(PipelineError, NotFoundError):
    """A file or folder named by the caller isn't there."""

    code = "unknown_file"


class UnreadableTableError(PipelineError, InvalidInputError):
    """A file isn't a table that can be read: wrong format, empty, damaged, or columns missing."""

    code = "unreadable_table"


class InvalidOutputError(PipelineError, InvalidInputError):
    """The output can't be written where or as it was asked for."""

    code = "invalid_output"


class OutputBusyError(PipelineError, ConflictError):
    """Another process is writing the same output."""

    code = "output_busy"


class EmptyWindowError(PipelineError, InvalidInputError):
    """There is nothing to compare in the window."""

    code = "empty_window"


class InvalidMonitoringError(PipelineError, InvalidInputError):
    """The measure or the window asked for does not exist."""

    code = "invalid_monitoring"


class InvalidOutcomeError(PipelineError, InvalidInputError):
    """A line of a file is no outcome."""

    code = "invalid_outcome"


class NoTrainingSnapshotError(PipelineError, RefusedError):
    """The version was made elsewhere, so there are no training values to compare with."""

    code = "no_training_snapshot"


class DriftReportError(PipelineError, RefusedError):
    """The drift report can't be made from these values."""

    code = "drift_report_failed"


class InvalidStreamError(PipelineError, InvalidInputError):
    """A stream's input, output or options can't be used as they are."""

    code = "invalid_stream"


class InputChangedError(PipelineError, ConflictError):
    """The input is no longer the one a stream stopped in."""

    code = "input_changed"


class BrokerUnavailableError(PipelineError, UnavailableError):
    """The message broker does not answer, or isn't set up."""

    code = "broker_unavailable"


class StreamInterruptedError(PipelineError, UnavailableError):
    """A poll or a commit failed, and nothing of it counts."""

    code = "stream_interrupted"


class SlotTakenError(PipelineError, FencedError):
    """Another consumer has taken this one's slot."""

    code = "slot_taken"


class EventDeliveryError(PipelineError, UnavailableError):
    """A target did not take an event."""

    code = "event_delivery"
