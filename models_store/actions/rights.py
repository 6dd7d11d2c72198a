"""Refuse an actor whose account, or whose role where the policy asks for one, does not allow a deed."""

from features.ground.errors import bounded
from features.ground.role_names import APPROVER, PROMOTER
from models_store.adapters.accounts import APPROVE, PROMOTE, WAIVE, Rights, rights_of
from models_store.core.policy import Policy
from models_store.errors import RightMissingError


def check_may_promote(actor: str, policy: Policy | None = None) -> None:
    """Refuse an actor who may not ask for a change of what serves.

    Parameters
    ----------
    actor : str
        Who asks; a name without an account, as a shell gives, is asked for nothing unless roles are separate.
    policy : Policy, optional
        Of the model, if its separation of roles applies.

    Raises
    ------
    RightMissingError
        If the account lacks the permission, or the policy wants a promoter and this is none.
    """
    rights = rights_of(actor)
    if rights and not rights.promote:
        raise _missing(actor, "ask for a promotion", PROMOTE)
    if policy and policy.separate_roles and not (rights and rights.is_promoter):
        raise _role_missing(actor, "asks", PROMOTER)


def check_may_approve(actor: str, policy: Policy) -> None:
    """Refuse an actor who may not decide on somebody else's request.

    Parameters
    ----------
    actor : str
        Who decides.
    policy : Policy
        Of the model.

    Raises
    ------
    RightMissingError
        If the account lacks the permission, or the policy wants an approver and this is none.
    """
    rights = rights_of(actor)
    if rights and not rights.approve:
        raise _missing(actor, "approve or reject a promotion", APPROVE)
    if policy.separate_roles and not (rights and rights.is_approver):
        raise _role_missing(actor, "approves", APPROVER)


def check_may_waive(actor: str) -> None:
    """Refuse an actor who may not take a failed gate on themselves.

    Parameters
    ----------
    actor : str
        Who asks; always an account.

    Raises
    ------
    RightMissingError
        If there is no such account, or it lacks the permission.
    """
    rights: Rights | None = rights_of(actor)
    if not (rights and rights.waive):
        raise _missing(actor, "waive a gate", WAIVE)


def _missing(actor: str, deed: str, permission: str) -> RightMissingError:
    return RightMissingError(
        f"{bounded(actor)} may not {deed}: an account with the permission {permission} is needed",
        permission=permission,
    )


def _role_missing(actor: str, deed: str, role: str) -> RightMissingError:
    return RightMissingError(
        f"this model's policy separates roles: a member of {role} {deed}, and {bounded(actor)} is none", role=role
    )
