"""The audit chain as a file of JSON lines."""

from pathlib import Path

from features.ground.canonical import canonical_json
from models_store.models.audit import AuditEntryQuerySet


def export_audit(entries: AuditEntryQuerySet, file: Path) -> int:
    """Write entries oldest first, one JSON object a line with its hash, and return how many.

    The file appears whole or not at all.
    """
    count = 0
    part = file.with_name(f".{file.name}.part")
    with part.open("wb") as out:
        for entry in entries.order_by("id").iterator(chunk_size=500):
            count += 1
            out.write(canonical_json(entry.as_dict()) + b"\n")
    part.replace(file)
    return count
