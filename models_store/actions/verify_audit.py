"""Check the audit chain, and sign its head from time to time so that its end can't be taken off unseen."""

from collections.abc import Iterator
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from models_store.actions.outbox import emit
from models_store.adapters.keys import Signature, sign, verify
from models_store.core.chain import ChainCheck, Checkpoint, checkpoint_bytes, verify_chain
from models_store.errors import ArtefactUntrustedError, AuditBrokenError
from models_store.models import AuditCheckpoint, AuditEntry


def verify_audit() -> ChainCheck:
    """Check the whole audit chain and every signed checkpoint of it.

    Returns
    -------
    ChainCheck
        Whether it holds, how many entries were read, and the first bad one.
    """
    try:
        return verify_chain(AuditEntry.objects.chained(), _signed())
    except _ForgedCheckpointError as forged:
        return ChainCheck(ok=False, entries=0, first_bad=forged.entry, why=str(forged))


def checkpoint_audit(*, every_minutes: float = 0) -> AuditCheckpoint | None:
    """Check what was appended since the last checkpoint, and sign the head of the chain.

    Parameters
    ----------
    every_minutes : float
        Do nothing before the last checkpoint is this old.

    Returns
    -------
    AuditCheckpoint or None
        None if it is not time yet, or nothing was appended since.

    Raises
    ------
    AuditBrokenError
        If the chain does not hold: a broken one is not signed.
    NoSigningKeyError
        If this process holds no private key.
    """
    last = AuditCheckpoint.objects.order_by("-entry").first()
    if last and last.at > timezone.now() - timedelta(minutes=every_minutes):
        return None
    since = last.checkpoint() if last else None
    if since and not AuditEntry.objects.filter(pk=since.entry, hash=since.head).exists():
        raise AuditBrokenError(
            f"the signed entry {since.entry} is gone or changed: run audit_verify", entry=since.entry
        )
    check = verify_chain(AuditEntry.objects.chained(after=since.entry if since else 0), since=since)
    if not check.ok:
        raise AuditBrokenError(f"the chain breaks at entry {check.first_bad}: {check.why}", entry=check.first_bad)
    if check.last == (since.entry if since else 0):
        return None
    return _store(Checkpoint(entry=check.last, entries=check.entries, head=check.head, at=timezone.now()))


class _ForgedCheckpointError(Exception):
    def __init__(self, entry: int, why: str) -> None:
        super().__init__(why)
        self.entry = entry


def _signed() -> Iterator[Checkpoint]:
    for row in AuditCheckpoint.objects.order_by("entry").iterator(chunk_size=500):
        noted = row.checkpoint()
        try:
            verify(checkpoint_bytes(noted), Signature(key_id=row.key_id, value=row.signature))
        except ArtefactUntrustedError as error:
            raise _ForgedCheckpointError(row.entry, f"its checkpoint: {error.message}") from error
        yield noted


def _store(noted: Checkpoint) -> AuditCheckpoint | None:
    signature = sign(checkpoint_bytes(noted))
    signed = {"entry": noted.entry, "entries": noted.entries, "head": noted.head, "at": noted.at.isoformat()}
    signed |= {"key_id": signature.key_id, "signature": signature.value}
    row = AuditCheckpoint(
        entry=noted.entry,
        entries=noted.entries,
        head=noted.head,
        at=noted.at,
        key_id=signature.key_id,
        signature=signature.value,
    )
    try:
        with transaction.atomic(durable=True):
            row.save(force_insert=True)
            # A copy leaves this machine: whoever rewrites the database can't rewrite that.
            emit("audit.checkpoint", signed)
    except IntegrityError:
        return None  # another process signed the same head
    return row
