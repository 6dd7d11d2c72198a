"""Which function does which kind of run.

Named by path and imported when a run starts: the web process, which only enqueues, never loads a training library.
"""

from typing import Any, cast

from django.utils.module_loading import import_string

from pipeline.core.run_context import Handler, RunContext
from pipeline.errors import UnknownRunKindError

HANDLERS: dict[str, str] = {
    "ingest": "pipeline.handlers_data.ingest_files",
    "snapshot": "pipeline.handlers_data.snapshot",
    "materialize": "pipeline.handlers_data.materialize_view",
    "compact": "pipeline.handlers_data.compact_datasets",
    "train": "pipeline.handlers_models.train_model",
    "score": "pipeline.handlers_models.score_batch",
    "drift": "pipeline.handlers_models.drift_report",
    "noop": "pipeline.handlers.noop",
}


def handler_of(kind: str) -> Handler:
    """Return the function that does this kind of run.

    Raises
    ------
    UnknownRunKindError
        If no handler is registered for the kind.
    """
    if kind not in HANDLERS:
        raise UnknownRunKindError(
            f"unknown kind of run: one of {', '.join(sorted(HANDLERS))}, got {kind!r}", kind=kind[:60]
        )
    return cast(Handler, import_string(HANDLERS[kind]))


def noop(context: RunContext) -> dict[str, Any]:
    """Do nothing: the run itself shows that a worker consumes its queue."""
    context.report(100, "done")
    return {}
