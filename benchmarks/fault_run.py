"""What every row needs: a site, a load on it, and a look at what else it answers."""

import argparse
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.fault_load import LATE_S, Load, figures
from benchmarks.fault_site import Services, Site

DB_ROUTE = "/api/v1/models/flights"
Found = dict[str, Any]


class Run:
    """What a row has in hand: the options, the services, and a folder."""

    def __init__(self, options: argparse.Namespace, services: Services, folder: Path) -> None:
        self.options, self.services, self.folder = options, services, folder

    @contextmanager
    def site(self, *, versions: int = 2, postgres: str = "") -> Iterator[Site]:
        """Serve a new site."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        made = Site(folder, self.services, versions=versions, workers=self.options.workers, postgres=postgres)
        with made.served() as site:
            yield site

    def measure(
        self, site: Site, fault: Callable[[float], Found], after_s: float = 3.0, prepare: Callable[[], object] = dict
    ) -> Found:
        """Load the site, first as it is and then while `fault` does its work; what that returns is kept.

        What happens while `prepare` makes ready for it is not measured.
        """
        with site.load(self.options.rate) as load:
            time.sleep(self.options.warm)
            began = time.monotonic()
            time.sleep(self.options.base)
            base_ended = time.monotonic()
            prepare()
            broken = time.monotonic()
            told = fault(self.options.seconds)
            time.sleep(after_s)
            ended = time.monotonic()
        base, during = load.between(began, base_ended), load.between(broken, ended)
        late = sorted({int(answer.due - broken) for answer in during if answer.seconds > LATE_S})
        return {"base": figures(base), "fault": figures(during), "late_at_s": late, **told, **_held(site, load)}


def _held(site: Site, load: Load) -> Found:
    """Return whether each answer is in the prediction log, once the server has had the time to bring it there."""
    answered = sum(not answer.failed for answer in load.answers)
    deadline = time.monotonic() + 30
    while (rows := _logged(site)) < answered and time.monotonic() < deadline:
        time.sleep(0.5)
    return {"answered": answered, "logged": rows}


def _logged(site: Site) -> int:
    return int(site.services.sql("SELECT count(*) FROM predictions_prediction WHERE role <> 'shadow'", site.database))


class Watch(threading.Thread):
    """Asks a route again and again beside the load, and keeps statuses, waits and headers."""

    def __init__(self, site: Site, every_s: float, method: str = "GET", path: str = DB_ROUTE, body: Any = None) -> None:
        super().__init__(daemon=True)
        self.site, self.every_s, self.asked = site, every_s, (method, path, body)
        self.seen: list[tuple[float, int, float, bool]] = []
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(self.every_s):
            began = time.monotonic()
            status, _, headers = self.site.ask(*self.asked)
            self.seen.append((began, status, time.monotonic() - began, "retry-after" in headers))

    def end(self) -> Found:
        """Stop, and return what was seen."""
        self._ended.set()
        self.join()
        return {
            "statuses": dict(Counter(status for _, status, _, _ in self.seen)),
            "503_without_retry_after": sum(status == 503 and not told for _, status, _, told in self.seen),
            "longest_s": round(max((seconds for _, _, seconds, _ in self.seen), default=0.0), 2),
        }

    def first_after(self, moment: float) -> float | None:
        """Return the seconds from a moment to the first 200 asked after it."""
        found = (began + took - moment for began, status, took, _ in self.seen if began >= moment and status == 200)
        return next((round(seconds, 2) for seconds in found), None)
