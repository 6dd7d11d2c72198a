"""Changes and faults of the server itself: rows 22, 23, 24 and 28."""

import os
import random
import signal
import time
from collections import Counter

from benchmarks.fault_run import Found, Run
from benchmarks.fault_site import Site


def promotions(run: Run) -> Found:
    """Row 22: another version is promoted each second."""
    number = int(run.options.seconds)
    with run.site(versions=number + 1) as site:

        def fault(seconds: float) -> Found:
            said: Counter[str] = Counter()
            due = time.monotonic()
            for version in range(2, number + 2):
                due += 1.0
                time.sleep(max(0.0, due - time.monotonic()))
                said[site.promote(version)] += 1
            return {"promotions": dict(said)}

        return run.measure(site, fault)


def workers_killed(run: Run) -> Found:
    """Row 23: a process that answers is killed each five seconds, whichever it happens to be."""
    draw = random.Random(run.options.seed)
    with run.site() as site:

        def fault(seconds: float) -> Found:
            mothers, ready, kills = site.children(f"--port {site.port}")[:1], [], 0
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                began = time.monotonic()
                if workers := site.web_workers():
                    killed = draw.choice(workers)
                    os.kill(killed, signal.SIGKILL)
                    kills += 1
                    ready.append(_seconds_until_ready(site, killed, began))
                time.sleep(max(0.0, began + 5.0 - time.monotonic()))
            same = mothers == site.children(f"--port {site.port}")[:1]
            return {"kills": kills, "ready_s": [round(s, 2) for s in ready], "server_survived": same}

        found = run.measure(site, fault, after_s=8.0)
        return found | {"failed_a_kill": round(found["fault"]["failed"] / max(1, found["kills"]), 2)}


def _seconds_until_ready(site: Site, killed: int, began: float) -> float:
    """Return how long it took until as many processes as before said in their log that they answer."""
    while len(set(site.ready_workers()) - {killed}) < site.workers and time.monotonic() < began + 60:
        time.sleep(0.05)
    return time.monotonic() - began


def rolling(run: Run) -> Found:
    """Row 24: everything that `serve` runs is replaced twenty times, one after the other; runs go on meanwhile."""
    rounds = run.options.rounds
    with run.site() as site:
        enqueue = "import django; django.setup()\nfrom pipeline.actions.runs import enqueue_run\n"
        enqueue += "for _ in range(20): enqueue_run('noop', {}, actor='cli:faults')"

        def fault(seconds: float) -> Found:
            took = []
            for _ in range(rounds):
                before, began = set(site.web_workers()), time.monotonic()
                assert site.process is not None
                site.process.send_signal(signal.SIGUSR1)
                site.run("-c", enqueue)
                while set(site.ready_workers()) & before or len(site.ready_workers()) < site.workers:
                    if time.monotonic() > began + 120:
                        raise SystemExit("the restart did not end")
                    time.sleep(0.1)
                took.append(round(time.monotonic() - began, 1))
            return {"restarts": rounds, "restart_s": took}

        found = run.measure(site, fault)
        query = "SELECT state, count(*) FROM pipeline_run WHERE kind = 'noop' GROUP BY state"
        deadline = time.monotonic() + 120
        while (states := site.services.sql(query, site.database)) != f"succeeded|{20 * rounds}":
            if time.monotonic() > deadline:
                break
            time.sleep(1)
        return found | {"runs": states.splitlines(), "runs_wanted": 20 * rounds}


def shadow_slow(run: Run) -> Found:
    """Row 28: a shadow that takes five seconds a request."""
    return _shadow(run, "SlowModel")


def shadow_crashing(run: Run) -> Found:
    """Row 28: a shadow that raises at each request."""
    return _shadow(run, "CrashingModel")


def _shadow(run: Run, kind: str) -> Found:
    with run.site() as site:
        number = int(site.run("-m", "benchmarks.fault_shadow", kind).split()[-1])

        counted = ("shadow_dropped_total", "shadow_errors_total")

        def prepare() -> None:
            said = site.promote(number, "shadow", timeout_s=120)
            deadline = time.monotonic() + 60
            while not any(site.metric(name) for name in counted):
                if time.monotonic() > deadline:
                    raise SystemExit(f"no shadow is asked: {said}")
                time.sleep(0.2)

        def fault(seconds: float) -> Found:
            time.sleep(seconds)
            return {name: int(site.metric(name)) for name in counted}

        return run.measure(site, fault, prepare=prepare)
