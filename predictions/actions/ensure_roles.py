"""Make the groups the roles are."""

from collections.abc import Sequence

from django.contrib.auth.models import Group, Permission
from django.db import transaction

PROMOTE, APPROVE, WAIVE = "promote_modelversion", "approve_promotion", "waive_gate"


def ensure_roles(
    roles: Sequence[str], *, promoters: Sequence[str], approvers: Sequence[str] = (), waivers: Sequence[str] = ()
) -> list[str]:
    """Make the groups that are missing and give some of them their rights; what else a group may do is kept.

    Parameters
    ----------
    roles : sequence of str
        Names of the groups.
    promoters, approvers, waivers : sequence of str
        Those whose members may ask for a promotion, may approve or reject one, may waive a gate.

    Returns
    -------
    list of str
        The groups that were made.
    """
    made = []
    with transaction.atomic(durable=True):
        of_the_registry = Permission.objects.filter(content_type__app_label="models_store")
        rights = {name: set(of_the_registry.filter(codename=name)) for name in (PROMOTE, APPROVE, WAIVE)}
        held = {PROMOTE: promoters, APPROVE: approvers, WAIVE: waivers}
        for role in roles:
            group, created = Group.objects.get_or_create(name=role)
            made += [role] if created else []
            for right, holders in held.items():
                if role in holders:
                    group.permissions.add(*rights[right])
    return made
