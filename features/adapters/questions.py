"""What a snapshot was asked for, as a name: the same question has the same answer on any day and machine."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from features.ground.canonical import digest
from features.models import DatasetVersion, FeatureView

# Goes up when the same inputs would be given other values.
RECIPE = 1


def question_digest(
    labels: DatasetVersion,
    sources: Sequence[tuple[FeatureView, DatasetVersion]],
    *,
    as_of: datetime | None,
    target: str,
) -> str:
    """Return the sha256 of all that decides a snapshot's rows and columns, and what was looked for in them."""
    asked = {
        "recipe": RECIPE,
        "labels": _state(labels),
        "views": [{"definition": view.definition_digest, "rows": _state(version)} for view, version in sources],
        "as_of": as_of,
        "target": target,
    }
    return digest(asked)


def _state(version: DatasetVersion) -> dict[str, Any]:
    """Name a version by what was ingested up to it, and by the contract its columns are read with."""
    taken = version.dataset.versions.filter(number__lte=version.number).order_by("number")
    return {
        "columns": [column.as_dict() for column in version.dataset.columns()],
        "versions": list(taken.values_list("fingerprint", "mode", "rows_valid", "rows_total")),
    }
