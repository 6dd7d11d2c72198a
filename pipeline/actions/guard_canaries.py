"""Stop canaries that do harm."""

import logging

from django.conf import settings

from models_store.actions.stop_canary import stop_canary
from models_store.models import ModelVersion, Stage
from pipeline.actions.alerts import raise_alert
from pipeline.models import Alert
from predictions.actions.judge_canary import judge_canary

logger = logging.getLogger(__name__)
GUARD = "system:canary-guard"


def guard_canaries() -> list[str]:
    """Judge every canary, stop those that something speaks against, and say so to a person.

    Returns
    -------
    list of str
        The versions that were stopped.
    """
    if not settings.CONFIG.canary.guard:
        return []
    stopped = []
    for version in ModelVersion.objects.filter(stage=Stage.CANARY).select_related("model"):
        verdict = judge_canary(version)
        if not verdict.stop:
            continue
        why = "; ".join(verdict.why)
        if stop_canary(str(version), reason=why, actor=GUARD):
            logger.warning("canary %s is stopped: %s", version, why)
            raise_alert(
                f"canary:{version}", f"canary {version} is stopped", detail=why, severity=Alert.Severity.CRITICAL
            )
            stopped.append(str(version))
    return stopped
