"""Give a user an access token from a shell."""

from django.contrib.auth.models import Group, User
from django.db import transaction

from features.ground.audit import record_audit, refusals_audited
from features.ground.errors import bounded
from predictions.adapters.access_tokens import IssuedToken, encode_access
from predictions.errors import RoleNotHeldError, UnknownUserError


@refusals_audited("issue_token", object_type="user", of="user")
def issue_token(user: str, *, role: str, minutes: int | None, create: bool, actor: str = "system") -> IssuedToken:
    """Return an access token that carries one role of a user.

    Parameters
    ----------
    user : str
        Username.
    role : str
        One of the four roles.
    minutes : int, optional
        How long it holds; as long as the API's own if None.
    create : bool
        Whether to make the user, and give the role, if they are not there; for development only.
    actor : str
        Who asks; kept in the audit trail, the token is not.

    Returns
    -------
    IssuedToken
        The token and when it ends.

    Raises
    ------
    UnknownUserError
        If there is no active user of that name.
    RoleNotHeldError
        If the user does not hold the role.
    """
    with transaction.atomic(durable=True):
        found = User.objects.filter(username=user, is_active=True).first()
        if found is None and create and not User.objects.filter(username=user).exists():
            found = User.objects.create_user(user)
        if found is None:
            raise UnknownUserError(f"no active user is named {bounded(user, 150)}", user=bounded(user, 150))
        if create:
            found.groups.add(Group.objects.get_or_create(name=role)[0])
        if not found.groups.filter(name=role).exists() and not (role == "admin" and found.is_superuser):
            raise RoleNotHeldError(f"{user} does not hold the role {role}; an admin can add it", user=user, role=role)
        issued = encode_access(found.pk, user, role, minutes)
        after = {"role": role, "expires_at": issued.expires_at.isoformat()}
        record_audit(actor=actor, action="issue_token", object_type="user", object_id=user, after=after)
    return issued
