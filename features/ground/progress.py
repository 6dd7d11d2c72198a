"""How a long action says how far it is."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

Report = Callable[[int, str], None]
"""Called with a percent from 0 to 100 and the name of the step."""


def silent(percent: int, step: str) -> None:
    """Say nothing."""


@contextmanager
def shown(title: str) -> Iterator[Report]:
    """Show progress on stderr: a bar on a terminal, plain lines elsewhere.

    Parameters
    ----------
    title : str
        What is being done, in a few words.

    Yields
    ------
    Report
        The function to call with percent and step.
    """
    if sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(title, total=100)
            yield lambda percent, step: bar.update(task, completed=percent, description=f"{title}: {step}")
        return
    started, last = time.monotonic(), ""

    def line(percent: int, step: str) -> None:
        nonlocal last
        if step != last:
            last = step
            print(f"{title}: {percent:3d} % {step} ({time.monotonic() - started:.1f} s)", file=sys.stderr, flush=True)

    yield line
