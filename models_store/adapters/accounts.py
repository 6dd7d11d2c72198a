"""What the account behind an actor may do."""

from dataclasses import dataclass

from django.contrib.auth.models import User

from features.ground.role_names import APPROVER, PROMOTER
from models_store.core.people import DOORS

PROMOTE, APPROVE, WAIVE = (
    "models_store.promote_modelversion",
    "models_store.approve_promotion",
    "models_store.waive_gate",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rights:
    """What an account may do, by permission and by role."""

    promote: bool
    approve: bool
    waive: bool
    is_promoter: bool
    is_approver: bool


def rights_of(actor: str) -> Rights | None:
    """Return the rights of an actor's account; None for a name without one, such as a shell's or a service's."""
    name = actor
    for door in DOORS:
        name = name.removeprefix(door)
    user = User.objects.filter(username=name).first() if name and len(name) <= 150 and "\x00" not in name else None
    if user is None:
        return None
    roles = set(user.groups.filter(name__in=(PROMOTER, APPROVER)).values_list("name", flat=True))
    active = user.is_active
    return Rights(
        promote=user.has_perm(PROMOTE),
        approve=user.has_perm(APPROVE),
        waive=user.has_perm(WAIVE),
        is_promoter=active and PROMOTER in roles,
        is_approver=active and APPROVER in roles,
    )
