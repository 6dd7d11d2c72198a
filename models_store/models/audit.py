"""The audit chain and its signed checkpoints."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Self

from django.db import OperationalError, models
from django.db.models import Q

from models_store.core.chain import Checkpoint, Link, StoredLink
from models_store.core.history import PROMOTE, ROLLBACK

CHUNK = 500
# What a row raises whose bytes were changed: JSON that is no JSON, a time that is no time, text that is no text.
UNREADABLE = (ValueError, TypeError, OperationalError)


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    """Reads of the audit chain."""

    def chained(self, after: int = 0) -> Iterator[StoredLink]:
        """Return the entries after a number as they are hashed, oldest first; one that can't be read has no link."""
        while numbers := list(self.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
            try:
                rows = {entry.pk: entry for entry in self.filter(pk__in=numbers)}
            except UNREADABLE as error:
                _raise_unless_damage(error)
                rows = {}
            for number in numbers:
                entry = rows.get(number) or self._readable(number)
                yield StoredLink(number=number, link=entry.link() if entry else None, hash=entry.hash if entry else "")
            after = numbers[-1]

    def _readable(self, number: int) -> "AuditEntry | None":
        try:
            return self.get(pk=number)
        except UNREADABLE as error:
            _raise_unless_damage(error)
            return None

    def stage_changes(self, model: str, until: datetime | None = None) -> Self:
        """Return the applied promotions and rollbacks of a model, oldest first."""
        changes = self.filter(
            action__in=(PROMOTE, ROLLBACK), object_type="model_version", object_id__startswith=f"{model}@"
        )
        return changes.order_by("id") if until is None else changes.filter(at__lte=until).order_by("id")

    def about(self, text: str) -> Self:
        """Return the entries of an object; a model's name stands for all its versions too."""
        return self.filter(Q(object_id=text) | Q(object_id__startswith=f"{text}@")) if text else self.all()


def _raise_unless_damage(error: Exception) -> None:
    # A database that is away says nothing about the row.
    if isinstance(error, OperationalError) and "decode" not in str(error).lower():
        raise error


class AuditEntry(models.Model):
    """One link of the append-only chain of what was done, by whom and why."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=200)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    reason = models.CharField(max_length=2000, blank=True)
    request_id = models.CharField(max_length=100, blank=True)
    # Unique, so that the chain can't fork: two entries can't follow the same one.
    previous_hash = models.CharField(max_length=64, unique=True)
    hash = models.CharField(max_length=64, unique=True)
    # The same as `at`, which is hashed: a row holds nothing that the chain doesn't.
    created_at = models.DateTimeField()

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "audit entries"
        indexes = (models.Index(fields=("object_type", "object_id"), name="audit_object"),)

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id} by {self.actor}"

    def as_dict(self) -> dict[str, Any]:
        """Return the entry with its hash, for a person or a file."""
        shown = ("at", "actor", "action", "object_type", "object_id", "before", "after", "reason", "request_id")
        values = {name: getattr(self, name) for name in (*shown, "previous_hash", "hash")}
        return {"id": self.pk, **values}

    def link(self) -> Link | None:
        """Return what is hashed; None if the columns contradict each other."""
        if self.created_at != self.at:
            return None
        fields: dict[str, Any] = {name: getattr(self, name) for name in Link.__dataclass_fields__}
        return Link(**fields)


class AuditCheckpoint(models.Model):
    """The chain's length and head at a time, signed with the key that signs artefacts."""

    entry = models.PositiveBigIntegerField(unique=True, help_text="Number of the last entry.")
    entries = models.PositiveBigIntegerField(help_text="How many entries the chain had.")
    head = models.CharField(max_length=64, help_text="Hash of the last entry.")
    at = models.DateTimeField()
    key_id = models.CharField(max_length=32)
    signature = models.CharField(max_length=128, help_text="Ed25519 over the other columns, base64.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-entry",)

    def __str__(self) -> str:
        return f"entry {self.entry}"

    def checkpoint(self) -> Checkpoint:
        """Return what is signed."""
        return Checkpoint(entry=self.entry, entries=self.entries, head=self.head, at=self.at)
