"""Accounts with one role each, and requests that wait for them."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.utils import timezone

from features.ground.roles import ADMIN, APPROVER, PROMOTER, ROLES
from models_store.actions.change_policy import change_policy
from models_store.actions.promote import Promotion, promote
from models_store.models import ModelVersion, PromotionRequest
from predictions.actions.ensure_roles import ensure_roles
from tests.models_store.made import made


def account(name: str, *roles: str) -> str:
    """Make an account with roles, and return it as the audit names it."""
    ensure_roles(ROLES, promoters=(ADMIN, PROMOTER), approvers=(ADMIN, APPROVER), waivers=(ADMIN,))
    User.objects.create_user(name, is_staff=True).groups.set(Group.objects.filter(name__in=roles))
    return f"user:{name}"


def ask(spec: str = "flights@1", stage: str = "production", **changes: Any) -> Promotion:
    """Ask for a promotion as ann."""
    return promote(spec, **{"target_stage": stage, "reason": "better", "actor": "user:ann", **changes})


def waiting(approvals: int = 1, **policy: Any) -> int:
    """Register a version under a policy that wants approvals, ask for production, and return the request."""
    made()
    change_policy("flights", {"approvals": approvals, **policy}, actor="cli:root")
    done = ask()
    assert done.state == "waiting"
    return done.request


def overdue(request: int) -> None:
    """Let the time of a request run out."""
    PromotionRequest.objects.filter(pk=request).update(expires_at=timezone.now() - timedelta(seconds=1))


def due(request: int) -> None:
    """Let the time of a scheduled request come."""
    PromotionRequest.objects.filter(pk=request).update(not_before=timezone.now() - timedelta(seconds=1))


def stages(model: str = "flights") -> dict[int, str]:
    """Return the stage of each version."""
    return dict(ModelVersion.objects.filter(model__name=model).values_list("number", "stage"))


def state(request: int) -> str:
    """Return the state of a request."""
    return str(PromotionRequest.objects.get(pk=request).state)
