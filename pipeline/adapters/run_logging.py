"""What the code below a run logs, in the run's own tail."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog
from django.utils import timezone

from features.ground.redaction import redacted
from pipeline.core.run_log import RunLog


class TailHandler(logging.Handler):
    """Keeps what is logged under a run's id; the id travels in the logging context of the thread that works."""

    def __init__(self, run_id: UUID, tail: RunLog) -> None:
        super().__init__(logging.INFO)
        self._run, self._tail = str(run_id), tail

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record of this run, secrets left out."""
        if structlog.contextvars.get_contextvars().get("request_id") == self._run:
            try:
                self._tail.add(timezone.now(), f"{record.levelname.lower()}: {redacted(record.getMessage())}")
            except (TypeError, ValueError):
                self.handleError(record)


@contextmanager
def log_kept(run_id: UUID, tail: RunLog) -> Iterator[None]:
    """Keep what is logged inside, where the run's id is bound, in the run's tail."""
    handler, root = TailHandler(run_id, tail), logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
