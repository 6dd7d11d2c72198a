"""Handlers of the runs that bring data in and freeze it."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from features.actions.add_version import IngestResult
from features.actions.compact import compact_tables
from features.actions.fix_quarantined import FixResult, fix_quarantined
from features.actions.ingest import ingest
from features.actions.materialize import materialize
from features.actions.take_snapshot import take_snapshot
from features.adapters.reading import ReadOptions
from features.core.schema import ColumnRoles
from features.ground.errors import DomainError
from pipeline.adapters.uploads import upload_path
from pipeline.core.run_context import RunContext


def ingest_files(context: RunContext) -> dict[str, Any]:
    """Ingest files or an upload into a dataset; the same bytes a second time give the same version."""
    asked = context.params
    try:
        result = _fixed(context, asked) if asked.get("mode") == "fix" else _ingested(context, asked)
    except DomainError as error:
        if "upload" in asked:
            # Whoever uploaded the file knows it by another name.
            error.message = error.message.replace(asked["upload"], asked["source"])
        raise
    return asdict(result)


def _fixed(context: RunContext, asked: Mapping[str, Any]) -> FixResult:
    file = upload_path(asked["upload"])
    return fix_quarantined(asked["dataset"], file, actor=context.actor, report=context.report)


def _ingested(context: RunContext, asked: Mapping[str, Any]) -> IngestResult:
    return ingest(
        asked["dataset"],
        [upload_path(asked["upload"])] if "upload" in asked else [Path(file) for file in asked["files"]],
        actor=context.actor,
        read=ReadOptions(**_tuples(asked.get("read", {}))),
        roles=ColumnRoles(**_tuples(asked.get("roles", {}))),
        schema=asked.get("schema"),
        max_rejected=asked.get("max_rejected"),
        source=asked.get("source"),
        mode=asked.get("mode", "append"),
        key=asked.get("key", ()),
        report=context.report,
    )


def snapshot(context: RunContext) -> dict[str, Any]:
    """Freeze a training set; the same rows under the same name are one snapshot."""
    asked = context.params
    taken = take_snapshot(
        asked["name"],
        dataset=asked["dataset"],
        views=asked.get("views", ()),
        as_of=_time(asked.get("as_of")),
        accept=asked.get("accept", ()),
        reason=asked.get("reason", ""),
        actor=context.actor,
        report=context.report,
    )
    return {"snapshot": taken.pk, "rows": taken.rows, "columns": len(taken.columns), "fingerprint": taken.fingerprint}


def materialize_view(context: RunContext) -> dict[str, Any]:
    """Build an online snapshot and flip the pointer to it."""
    asked = context.params
    how = {"as_of": _time(asked.get("as_of")), "full": asked.get("full", False), "actor": context.actor}
    return asdict(materialize(asked["view"], **how, report=context.report))


def compact_datasets(context: RunContext) -> dict[str, Any]:
    """Make larger files of small ones, in one dataset's table or in all."""
    return asdict(compact_tables(context.params.get("dataset"), actor=context.actor, report=context.report))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _tuples(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
