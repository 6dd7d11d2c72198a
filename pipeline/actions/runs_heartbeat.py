"""Hold a run while it is worked on: renew the lease, write the progress, notice when it is lost."""

import logging
import threading
import time
from types import TracebackType

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from django.utils import timezone

from pipeline.adapters.clock import from_now
from pipeline.core.run_log import RunLog
from pipeline.errors import LeaseLostError
from pipeline.models import Run

logger = logging.getLogger(__name__)
PROGRESS_SECONDS = 1.0


class Heartbeat:
    """A thread that renews one attempt's lease over its own database connection.

    The work may hold transactions open or keep the main thread busy; neither delays the beat.

    Parameters
    ----------
    run : Run
        The claimed run; its token goes into every write.
    log : RunLog, optional
        What it says, written beside the progress.
    """

    def __init__(self, run: Run, log: RunLog | None = None) -> None:
        self._run = run
        self._log = log or RunLog()
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._progress: tuple[int, str] = (0, "")
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{run.pk}", daemon=True)

    def __enter__(self) -> "Heartbeat":
        """Start the beat."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the beat and wait for its last write."""
        self._stop.set()
        self._thread.join()

    def report(self, percent: int, step: str) -> None:
        """Note how far the work is; written within a second.

        Parameters
        ----------
        percent : int
            From 0 to 100; cut to that range.
        step : str
            What is being done.

        Raises
        ------
        LeaseLostError
            If another worker has the run, or somebody cancelled it: stop at once.
        """
        if self._lost.is_set():
            raise LeaseLostError(
                f"run {self._run.pk} is no longer held by this worker: it was cancelled or taken by another",
                run=str(self._run.pk),
            )
        self._progress = (max(0, min(100, int(percent))), step[:200])
        self._log.add(timezone.now(), step)

    def _beat(self) -> None:
        every = settings.CONFIG.jobs.heartbeat_seconds
        written, next_beat = self._progress, time.monotonic() + every
        try:
            while not self._stop.wait(min(PROGRESS_SECONDS, every)):
                progress = self._progress
                if progress == written and time.monotonic() < next_beat:
                    continue
                if not self._renew(*progress):
                    self._lost.set()
                    return
                written, next_beat = progress, time.monotonic() + every
        finally:
            connection.close()

    def _renew(self, percent: int, step: str) -> bool:
        held = Run.objects.filter(pk=self._run.pk, token=self._run.token, state=Run.State.RUNNING)
        try:
            lease = from_now(settings.CONFIG.jobs.lease_seconds)
            said = {"progress": percent, "step": step, "log": self._log.text()}
            return bool(held.update(lease_until=lease, heartbeat_at=Now(), **said))
        except DatabaseError as error:
            # Not lost yet: the lease may outlast the fault, and the next beat tries again, over a new connection.
            connection.close()
            logger.warning("run %s: heartbeat failed: %s", self._run.pk, error)
            return True
