"""Clear away what registrations left behind when their process died before the commit."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from features.actions.prune import GRACE
from features.adapters.leftovers import left_files, remove_left
from models_store.actions.audit import append_audit
from models_store.adapters.artefacts import HALF_WRITTEN
from models_store.core.manifest import is_digest
from models_store.models import ModelVersion

PLACE = {"artefact": "artefacts"}


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftArtefact:
    """A folder among the artefacts that no version names.

    Parameters
    ----------
    name : str
        The digest of its manifest; of one that was never finished, a name of its own.
    bytes : int
        What it takes on disk.
    """

    name: str
    bytes: int


def left_artefacts(*, now: datetime | None = None) -> tuple[LeftArtefact, ...]:
    """Find folders that no version names; what is younger than a day may belong to a registration under way.

    Parameters
    ----------
    now : datetime, optional
        When age is counted from; by default the present.

    Returns
    -------
    tuple of LeftArtefact
    """
    return tuple(found for _, found in _left(now or timezone.now()))


def clear_artefacts(*, actor: str, dry_run: bool = False, now: datetime | None = None) -> tuple[LeftArtefact, ...]:
    """Remove folders that no version names, each with an entry in the audit.

    Parameters
    ----------
    actor : str
        Who asks, as the audit names people.
    dry_run : bool
        Say what would go and remove nothing.
    now : datetime, optional
        When age is counted from; by default the present.

    Returns
    -------
    tuple of LeftArtefact
        What was removed, or would be.
    """
    gone = []
    for path, found in list(_left(now or timezone.now())):
        if not dry_run:
            with transaction.atomic(durable=True):
                append_audit(
                    actor=actor,
                    action="clear_artefact",
                    object_type="artefact",
                    object_id=found.name,
                    before={"bytes": found.bytes},
                    reason="no version names it",
                )
            remove_left(path)
        gone.append(found)
    return tuple(gone)


def _left(now: datetime) -> Iterator[tuple[Path, LeftArtefact]]:
    old = [(path, size) for _, path, size in left_files(now - GRACE, PLACE) if _is_ours(path.name)]
    # Asked after the folders were listed: a row that was committed meanwhile names its own.
    names = [path.name for path, _ in old]
    named = set(ModelVersion.objects.filter(manifest_digest__in=names).values_list("manifest_digest", flat=True))
    for path, size in old:
        if path.name not in named:
            yield path, LeftArtefact(name=path.name, bytes=size)


def _is_ours(name: str) -> bool:
    return name.startswith(HALF_WRITTEN) or is_digest(name)
