"""Metrics of a model's quality: which way is better."""

from models_store.errors import BadVersionError

LOWER_IS_BETTER = frozenset({"log_loss", "brier", "calibration_error", "rmse", "mae", "mape", "mse"})
HIGHER_IS_BETTER = frozenset({"roc_auc", "accuracy", "r2", "f1", "precision", "recall", "average_precision"})
DEFAULT_PRIMARY_METRIC = {"classification": "log_loss", "regression": "rmse"}


def is_lower_better(metric: str) -> bool:
    """Tell which way a metric improves.

    Parameters
    ----------
    metric : str
        A name listed above, or one that ends in `_score` (up), `_error` or `_loss` (down).

    Returns
    -------
    bool
        True if a smaller value is better.

    Raises
    ------
    BadVersionError
        If the name says neither.
    """
    if metric in LOWER_IS_BETTER or metric.endswith(("_error", "_loss")):
        return True
    if metric in HIGHER_IS_BETTER or metric.endswith("_score"):
        return False
    raise BadVersionError(
        f"which way is {metric!r} better? Use one of {', '.join(sorted(LOWER_IS_BETTER | HIGHER_IS_BETTER))}, "
        "or a name ending in _score, _error or _loss",
        metric=metric,
    )
