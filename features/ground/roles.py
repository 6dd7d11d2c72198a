"""The roles, and the permission every API view is closed by until it names who may enter."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from features.ground.role_names import ADMIN, APPROVER, PROMOTER, READERS, READONLY, ROLES, USER

__all__ = ["ADMIN", "APPROVER", "PROMOTER", "READERS", "READONLY", "ROLES", "USER", "RoleRequired"]


class RoleRequired(BasePermission):
    """Let in the roles a view names in `roles` (a tuple, or a dict by method); nobody where it names none.

    A method the view has not is anybody's with a role, for the answer is 405 whoever asks.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Tell whether the caller holds one of the view's roles."""
        allowed = getattr(view, "roles", ())
        if isinstance(allowed, dict):
            allowed = allowed.get(request.method, () if hasattr(view, str(request.method).lower()) else ROLES)
        caller = request.user
        held = getattr(caller, "roles", ())
        return bool(getattr(caller, "is_authenticated", False)) and not set(held).isdisjoint(allowed)
