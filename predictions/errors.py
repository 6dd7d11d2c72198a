"""Errors of serving."""

from features.ground.errors import (
    ConflictError,
    DomainError,
    ForbiddenError,
    InvalidInputError,
    LimitedError,
    NotFoundError,
    RefusedError,
    TooLargeError,
    UnavailableError,
)


class PredictionsError(DomainError):
    """Base of this app's errors."""

    code = "predictions_error"


class InvalidRequestError(PredictionsError, InvalidInputError):
    """The request's data can't be scored as it is."""

    code = "invalid_request_data"


class BodyTooLargeError(PredictionsError, TooLargeError):
    """The body unpacks to more bytes than one request may have."""

    code = "body_too_large"


class RowLimitError(PredictionsError, LimitedError):
    """The caller has had as many rows scored as the limit on rows allows for now."""

    code = "row_limit"


class TooManyRowsError(PredictionsError, TooLargeError):
    """More rows came than one request may hold."""

    code = "too_many_rows"


class UnknownPredictionError(PredictionsError, NotFoundError):
    """No prediction of that id is in the log."""

    code = "unknown_prediction"


class ModelNotReadyError(PredictionsError, UnavailableError):
    """No version of the model is loaded, so that nobody can answer."""

    code = "model_not_ready"


class NotLoadedByClientsError(PredictionsError, RefusedError):
    """A client of the Open Inference Protocol asked to load or unload a model; promotion alone does that."""

    code = "not_loaded_by_clients"


class StageEmptyError(PredictionsError, NotFoundError):
    """No version of the model holds the stage."""

    code = "stage_empty"


class AmbiguousModelError(PredictionsError, RefusedError):
    """Several models are in production and none was named."""

    code = "model_not_named"


class ModelLoadError(PredictionsError, UnavailableError):
    """A version's artefact is intact and yet can't be loaded or asked."""

    code = "model_load_failed"


class ScoringError(PredictionsError, RefusedError):
    """The model has no answer for this well-formed input."""

    code = "scoring_failed"


class NotFiniteError(ScoringError):
    """The model's answer to this well-formed input is no number."""

    code = "not_finite"


class EntitiesNotServedError(PredictionsError, RefusedError):
    """The model can't look its features up by entity."""

    code = "entities_not_served"


class LimitUnavailableError(PredictionsError, UnavailableError):
    """Tries can't be counted, so none is allowed."""

    code = "limiter_unavailable"


class OverloadedError(PredictionsError, UnavailableError):
    """The process has as much in progress as it may, and takes no more for now."""

    code = "overloaded"


class LogUnavailableError(PredictionsError, UnavailableError):
    """An answer can't be recorded, and none may be given without."""

    code = "log_unavailable"


class ModelForbiddenError(PredictionsError, ForbiddenError):
    """The caller may not ask this model."""

    code = "model_forbidden"


class InvalidKeyRequestError(PredictionsError, InvalidInputError):
    """What a key is to be good for makes no sense."""

    code = "bad_key_request"


class KeyExistsError(PredictionsError, ConflictError):
    """A key has this name already."""

    code = "key_exists"


class UnknownKeyError(PredictionsError, NotFoundError):
    """No key has this name."""

    code = "unknown_key"


class UnknownUserError(PredictionsError, NotFoundError):
    """Nobody of that name has an account."""

    code = "unknown_user"


class RoleNotHeldError(PredictionsError, RefusedError):
    """A token may carry no role its user does not hold."""

    code = "role_not_held"
