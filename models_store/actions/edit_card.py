"""Change what people say of a model on its card."""

from collections.abc import Mapping

from django.db import transaction

from features.ground.audit import audited_refusals
from models_store.actions.audit import append_audit
from models_store.actions.rights import check_may_promote
from models_store.core.card import checked_parts
from models_store.core.reasons import checked_reason
from models_store.core.spec import checked_name
from models_store.models import RegisteredModel


def edit_card(model: str, parts: Mapping[str, str], *, reason: str, actor: str) -> RegisteredModel:
    """Write parts of a model's card; the audit keeps what stood there before.

    Parameters
    ----------
    model : str
        Name of the model.
    parts : mapping of str to str
        `purpose`, `intended_use`, `limits`, `owner`; one that is left out stays as it is, an empty one is taken away.
    reason, actor : str
        Why, in 1 to 2000 characters; who writes.

    Returns
    -------
    RegisteredModel
        With its new card.

    Raises
    ------
    UnknownModelError, BadSpecError
        If there is no such model.
    BadCardError, BadPromotionError
        If a part or the reason can't be kept; the card stays as it was.
    RightMissingError
        If the actor's account may not change what serves.
    """
    with audited_refusals(
        actor=actor, action="edit_card", object_type="registered_model", object_id=model, reason=reason
    ):
        checked, why = checked_parts(parts), checked_reason(reason)
        check_may_promote(actor)
        found = RegisteredModel.objects.named(checked_name(model))
        with transaction.atomic(durable=True):
            locked = RegisteredModel.objects.select_for_update().get(pk=found.pk)
            before = {part: getattr(locked, part) for part in checked}
            for part, text in checked.items():
                setattr(locked, part, text)
            locked.save(update_fields=list(checked))
            append_audit(
                actor=actor,
                action="edit_card",
                object_type="registered_model",
                object_id=locked.name,
                before=before,
                after=checked,
                reason=why,
            )
    return locked
