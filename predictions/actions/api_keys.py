"""Keys for services: made, listed, revoked."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import Error as DatabaseError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from features.ground.audit import record_audit, refusals_audited
from features.ground.errors import bounded
from features.ground.role_names import ROLES
from models_store.models import RegisteredModel
from predictions.adapters.patience import hurried
from predictions.core.api_key import BEGINNING, secret_hash
from predictions.errors import InvalidKeyRequestError, KeyExistsError, UnknownKeyError
from predictions.models import ApiKey

MAX_DAYS = 366
# A key in use all day is noted a few times an hour, not at each request.
NOTE_EVERY = timedelta(minutes=10)
NOTE_PATIENCE_S = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class NewKey:
    """A key as it is shown once, and what it is good for."""

    key: str
    name: str
    roles: tuple[str, ...]
    models: tuple[str, ...]
    expires_at: datetime


@refusals_audited("api_key.new", object_type="api_key", of="name")
def new_key(name: str, *, roles: Sequence[str], models: Sequence[str] = (), days: int, actor: str) -> NewKey:
    """Make a key; its secret is in the answer and nowhere else.

    Parameters
    ----------
    name : str
        What uses it: letters, digits, - and _.
    roles : sequence of str
        What it may do.
    models : sequence of str
        The models it is good for; all if none is named.
    days : int
        How long it holds, 1 to 366.
    actor : str
        Who makes it.

    Returns
    -------
    NewKey

    Raises
    ------
    InvalidKeyRequestError
        If the name, a role or the days can't be used.
    UnknownModelError
        If there is no such model.
    KeyExistsError
        If the name is taken.
    """
    _check(name, roles, days)
    for model in models:
        RegisteredModel.objects.named(model)
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    row = ApiKey(
        name=name,
        prefix=prefix,
        secret_hash=secret_hash(secret),
        roles=sorted(set(roles)),
        models=sorted(set(models)),
        expires_at=timezone.now() + timedelta(days=days),
        created_by=actor,
    )
    _store(row, actor)
    return NewKey(
        key=f"{BEGINNING}{prefix}_{secret}",
        name=name,
        roles=tuple(row.roles),
        models=tuple(row.models),
        expires_at=row.expires_at,
    )


def _store(row: ApiKey, actor: str) -> None:
    good_for = {"roles": row.roles, "models": row.models, "expires_at": row.expires_at.isoformat()}
    try:
        with transaction.atomic(durable=True):
            row.save(force_insert=True)
            record_audit(actor=actor, action="api_key.new", object_type="api_key", object_id=row.name, after=good_for)
    except IntegrityError as error:
        raise KeyExistsError(f"a key is named {row.name} already; keys are not made twice", name=row.name) from error


def _check(name: str, roles: Sequence[str], days: int) -> None:
    try:
        validate_slug(name)
    except ValidationError:
        raise InvalidKeyRequestError(
            f"a key's name has letters, digits, - and _; got {bounded(name, 60)!r}", field="name"
        ) from None
    if len(name) > 100:
        raise InvalidKeyRequestError(f"a key's name has at most 100 characters, got {len(name)}", field="name")
    if not roles or set(roles) - set(ROLES):
        raise InvalidKeyRequestError(
            f"roles are one or more of {', '.join(ROLES)}; got {bounded(', '.join(roles), 100) or 'none'}",
            field="roles",
        )
    if not 1 <= days <= MAX_DAYS:
        raise InvalidKeyRequestError(f"days must be 1 to {MAX_DAYS}, got {days}", field="days")


@refusals_audited("api_key.revoke", object_type="api_key", of="name")
def revoke_key(name: str, *, actor: str, reason: str = "") -> bool:
    """Make a key worthless; servers that have just verified it follow within `security.token_cache_s`.

    Parameters
    ----------
    name : str
        Its name.
    actor : str
        Who revokes it.
    reason : str
        Why; kept in the audit trail.

    Returns
    -------
    bool
        Whether it was good until now.

    Raises
    ------
    UnknownKeyError
        If there is no key of that name.
    """
    with transaction.atomic(durable=True):
        changed = ApiKey.objects.filter(name=name, revoked_at=None).update(revoked_at=timezone.now())
        if changed:
            record_audit(actor=actor, action="api_key.revoke", object_type="api_key", object_id=name, reason=reason)
        elif not ApiKey.objects.filter(name=name).exists():
            raise UnknownKeyError(f"no key is named {bounded(name, 100)}", name=bounded(name, 100))
    return bool(changed)


def note_key_used(key_id: int) -> None:
    """Note that a key was used, if that was not noted a short while ago; never at the cost of the request.

    Parameters
    ----------
    key_id : int
        The row.
    """
    now = timezone.now()
    stale = ApiKey.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=now - NOTE_EVERY), pk=key_id)
    try:
        if stale.exists():
            with hurried(NOTE_PATIENCE_S), transaction.atomic():
                stale.update(last_used_at=now)
    except DatabaseError:
        # Somebody else is writing: the next use is noted.
        return
