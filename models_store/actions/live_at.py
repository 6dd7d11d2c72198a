"""Tell which version was in production at a time, who put it there and why."""

from dataclasses import dataclass
from datetime import datetime

from models_store.actions.rollback import entries_of
from models_store.core.spec import checked_name
from models_store.models import AuditEntry, RegisteredModel


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveAt:
    """What was in production.

    Attributes
    ----------
    model : str
        Name of the model.
    version : int or None
        Number of the production version; None if there was none.
    since : datetime or None
        When it took the stage; with no version, when the last one left, if there was one.
    actor, reason : str
        Who did that, and why.
    """

    model: str
    version: int | None
    since: datetime | None
    actor: str
    reason: str


def live_at(model: str, at: datetime) -> LiveAt:
    """Read from the audit what was in production at a time.

    Parameters
    ----------
    model : str
        Name of the model.
    at : datetime
        The time, aware.

    Returns
    -------
    LiveAt
        Version, since when, by whom and why.

    Raises
    ------
    UnknownModelError, BadSpecError
        If there is no such model.
    """
    found = RegisteredModel.objects.named(checked_name(model))
    live: AuditEntry | None = None
    version: int | None = None
    for entry in entries_of(AuditEntry.objects.stage_changes(found.name, until=at), found.name):
        if entry.after.get("production") != version:
            version, live = entry.after.get("production"), entry
    return LiveAt(
        model=found.name,
        version=version,
        since=live.at if live else None,
        actor=live.actor if live else "",
        reason=live.reason if live else "",
    )
