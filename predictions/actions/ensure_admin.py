"""Make the first person who can sign in."""

from django.contrib.auth.models import Group, User
from django.db import transaction

from features.ground.audit import record_audit


def ensure_admin(username: str, password: str, *, actor: str) -> bool:
    """Make a superuser with the admin role, if no user of that name is there.

    Parameters
    ----------
    username : str
        Name to sign in with.
    password : str
        Used only where the user is made; an existing one keeps theirs.
    actor : str
        Who asks, as the audit names people.

    Returns
    -------
    bool
        Whether the user was made.
    """
    with transaction.atomic(durable=True):
        if User.objects.filter(username=username).exists():
            return False
        user = User.objects.create_superuser(username, password=password)
        user.groups.add(Group.objects.get_or_create(name="admin")[0])
        record_audit(
            actor=actor,
            action="add_user",
            object_type="user",
            object_id=username,
            after={"is_superuser": True, "groups": ["admin"]},
        )
    return True
