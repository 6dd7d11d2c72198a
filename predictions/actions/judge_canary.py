"""Say whether a canary may go on."""

from django.conf import settings

from models_store.models import ModelVersion
from predictions.adapters.canary_evidence import gather_seen
from predictions.core.canary import Limits, Verdict, judge


def judge_canary(version: ModelVersion) -> Verdict:
    """Weigh everything the log knows of a canary since it took that stage.

    Parameters
    ----------
    version : ModelVersion
        The canary.

    Returns
    -------
    Verdict
        What speaks against it, if anything; asking often is honest.
    """
    config = settings.CONFIG.canary
    limits = Limits(alpha=config.alpha, error_share=config.max_error_share, latency_ratio=config.max_latency_ratio)
    return judge(gather_seen(version), limits)
