"""Change a model's promotion policy."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from features.ground.audit import audited_refusals
from features.ground.canonical import digest
from models_store.actions.audit import append_audit
from models_store.core.policy import parse_policy
from models_store.core.spec import checked_name
from models_store.errors import PolicyConflictError
from models_store.models import RegisteredModel


def change_policy(
    model: str, policy: Mapping[str, Any], *, actor: str, reason: str = "", expected: str | None = None
) -> RegisteredModel:
    """Replace a model's policy by a checked one.

    Parameters
    ----------
    model : str
        Name of the model.
    policy : mapping
        `approvals`, `stages` and `settings`; a stage that is left out has the default gates.
    actor : str
        Who asks.
    reason : str
        Why.
    expected : str, optional
        Digest of the stored policy the actor looked at.

    Returns
    -------
    RegisteredModel
        With its new policy.

    Raises
    ------
    UnknownModelError, BadSpecError
        If there is no such model.
    PolicyError
        If the policy can't be used; the model keeps the one it had.
    PolicyConflictError
        If the stored policy is not the one the actor looked at.
    """
    with audited_refusals(
        actor=actor, action="change_policy", object_type="registered_model", object_id=model, reason=reason
    ):
        found = RegisteredModel.objects.named(checked_name(model))
        checked = parse_policy(policy, found.task).as_dict()
        with transaction.atomic(durable=True):
            return _changed(found.pk, checked, expected, actor=actor, reason=reason)


def _changed(
    model_id: int, checked: dict[str, Any], expected: str | None, *, actor: str, reason: str
) -> RegisteredModel:
    locked = RegisteredModel.objects.select_for_update().get(pk=model_id)
    if expected is not None and expected != digest(locked.policy):
        raise PolicyConflictError(
            f"the policy of {locked.name} was changed since you looked: look again", model=locked.name
        )
    before, locked.policy = locked.policy, checked
    locked.save(update_fields=["policy"])
    append_audit(
        actor=actor,
        action="change_policy",
        object_type="registered_model",
        object_id=locked.name,
        before=before,
        after=checked,
        reason=reason,
    )
    return locked
