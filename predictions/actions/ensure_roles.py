"""Make the groups the roles are."""

from collections.abc import Sequence

from django.contrib.auth.models import Group, Permission
from django.db import transaction

PROMOTE = "promote_modelversion"


def ensure_roles(roles: Sequence[str], *, promoters: Sequence[str]) -> list[str]:
    """Make the groups that are missing and let some of them promote; what else a group may do is kept.

    Parameters
    ----------
    roles : sequence of str
        Names of the groups.
    promoters : sequence of str
        Those whose members may ask for a promotion.

    Returns
    -------
    list of str
        The groups that were made.
    """
    made = []
    with transaction.atomic(durable=True):
        may_promote = Permission.objects.filter(codename=PROMOTE, content_type__app_label="models_store")
        for role in roles:
            group, created = Group.objects.get_or_create(name=role)
            made += [role] if created else []
            if role in promoters:
                group.permissions.add(*may_promote)
    return made
