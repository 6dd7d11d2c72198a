"""What the tests of runs share."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

from pipeline.actions import runs
from pipeline.adapters.clock import from_now
from pipeline.models import Run


def expire(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(lease_until=from_now(-1))


def claimed(**params: Any) -> Run:
    run = runs.claim_run(runs.enqueue_run("noop", params, actor="system").pk, worker="here:1")
    assert run is not None
    return run


def race(act: Callable[[int], Any], number: int) -> list[Any]:
    """Call a function from many threads at once and return what each got."""
    barrier, got = threading.Barrier(number), [None] * number

    def call(place: int) -> None:
        barrier.wait()
        try:
            got[place] = act(place)
        finally:
            connection.close()

    threads = [threading.Thread(target=call, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def wait_until(done: Callable[[], Any], seconds: float = 10) -> None:
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if done():
            return
        pause.wait(0.02)
    raise AssertionError("it did not happen in time")
