"""Take a canary out of serving because it does harm."""

from django.db import transaction

from features.ground.audit import refusals_audited
from models_store.actions.transition import Move, apply_move
from models_store.core.history import PROMOTE
from models_store.core.lifecycle import ARCHIVED
from models_store.core.reasons import checked_reason
from models_store.core.spec import parse_version
from models_store.models import ModelVersion, RegisteredModel, Stage


@refusals_audited("stop_canary", object_type="model_version", of="spec")
def stop_canary(spec: str, *, reason: str, actor: str) -> bool:
    """Archive a version if it is the canary; nobody is asked, because production goes on as it was.

    Parameters
    ----------
    spec : str
        The version, as MODEL@N.
    reason : str
        What it did.
    actor : str
        Who stops it.

    Returns
    -------
    bool
        Whether it was the canary until now; it may have been promoted or stopped by somebody else meanwhile.

    Raises
    ------
    UnknownModelError, UnknownVersionError, BadSpecError, BadPromotionError
        If there is no such version, or no reason.
    """
    move = Move(action=PROMOTE, target_stage=ARCHIVED, percent=None, actor=actor, reason=checked_reason(reason))
    found = ModelVersion.objects.resolve(str(parse_version(spec)))
    with transaction.atomic(durable=True):
        # Lock the model's row: somebody may be promoting it.
        model = RegisteredModel.objects.select_for_update().get(pk=found.model_id)
        version = ModelVersion.objects.select_related("model").get(pk=found.pk)
        if version.stage != Stage.CANARY:
            return False
        apply_move(model, version, move)
    return True
