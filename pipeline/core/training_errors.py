"""Why a model can't be trained as asked."""

from features.ground.errors import InvalidInputError, NotFoundError, RefusedError
from pipeline.errors import PipelineError


class InvalidTrainingRequestError(PipelineError, InvalidInputError):
    """An option of the training has a value it can't have."""

    code = "invalid_training_request"


class UnknownEstimatorError(PipelineError, NotFoundError):
    """No estimator is registered under this name."""

    code = "unknown_estimator"


class InvalidParamError(PipelineError, InvalidInputError):
    """A parameter is not one of the estimator's, or has a value it refuses."""

    code = "invalid_param"


class UnknownTargetError(PipelineError, NotFoundError):
    """The target is not a column of the snapshot, or nobody named one."""

    code = "unknown_target"


class UnknownSliceError(PipelineError, NotFoundError):
    """A column to slice by is not in the snapshot."""

    code = "unknown_slice"


class UnknownSnapshotError(PipelineError, NotFoundError):
    """No training snapshot has this number."""

    code = "unknown_snapshot"


class NoTimestampError(PipelineError, InvalidInputError):
    """A time split was asked for, and the data has no time."""

    code = "no_timestamp"


class NoGroupError(PipelineError, InvalidInputError):
    """A group split was asked for, and it is not known what the groups are."""

    code = "no_group"


class ThresholdGoalError(PipelineError, RefusedError):
    """No threshold reaches what was asked of it."""

    code = "threshold_goal"


class BadEstimatorSettingError(PipelineError, RefusedError):
    """What training.estimators names is no estimator."""

    code = "bad_estimator_setting"


class NotReproducibleError(PipelineError, RefusedError):
    """Two trainings of the same gave something else."""

    code = "not_reproducible"


class NoRowsError(PipelineError, RefusedError):
    """There is nothing to learn from."""

    code = "no_rows"


class EmptySplitError(PipelineError, RefusedError):
    """The rows can't be cut into a part to learn from and a part to test on."""

    code = "empty_split"


class SingleClassError(PipelineError, RefusedError):
    """There is only one answer in the training rows."""

    code = "single_class"


class NoFeaturesError(PipelineError, RefusedError):
    """No column is left to predict from."""

    code = "no_features"


class TaskMismatchError(PipelineError, InvalidInputError):
    """The estimator does not do what the target needs."""

    code = "task_mismatch"


class TooManyRowsError(PipelineError, RefusedError):
    """The estimator is not made for this many rows."""

    code = "too_many_training_rows"


class ModelTaskError(PipelineError, InvalidInputError):
    """A model of this name does another task."""

    code = "model_task"


class FitRefusedError(PipelineError, RefusedError):
    """The estimator refuses the rows."""

    code = "fit_refused"
