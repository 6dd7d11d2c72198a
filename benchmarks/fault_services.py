"""Faults of Redis and of PostgreSQL: rows 11, 13 and 14."""

import json
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable

from benchmarks.fault_run import Found, Run, Watch
from benchmarks.fault_site import PASSWORD, Site
from tests.proxy import Proxy

TABLES = "auth_user, models_store_registeredmodel, models_store_modelversion, predictions_prediction"


def redis_down(run: Run) -> Found:
    """Row 11: Redis is killed, and started again after `seconds`."""
    return _redis(run, lambda: run.services.signal("redis", signal.SIGKILL), lambda: run.services.again("redis"))


def redis_frozen(run: Run) -> Found:
    """Row 11: Redis is frozen for `seconds`."""
    return _redis(
        run,
        lambda: run.services.signal("redis", signal.SIGSTOP),
        lambda: run.services.signal("redis", signal.SIGCONT),
    )


def _redis(run: Run, breaks: Callable[[], None], mends: Callable[[], None]) -> Found:
    with run.site() as site:

        def fault(seconds: float) -> Found:
            logins = Watch(site, 2.0, "POST", "/api/v1/token", {"username": "faults", "password": PASSWORD})
            breaks()
            logins.start()
            time.sleep(seconds)
            found = {"sign_in": logins.end()}
            mends()
            time.sleep(8)
            before = site.metric("rate_limit_fallback_total")
            time.sleep(2)
            after = site.metric("rate_limit_fallback_total")
            return found | {"counted_here": int(before), "counted_here_after_8_s": int(after - before)}

        return run.measure(site, fault)


def database_killed(run: Run) -> Found:
    """Row 13: PostgreSQL is killed ten times, and started again a second later; promotions go on meanwhile."""
    with run.site(versions=40) as site:
        ended = threading.Event()
        said: Counter[str] = Counter()

        def promote() -> None:
            number = 2
            while not ended.wait(0.5):
                told = site.promote(number)
                said[told if told == "applied" else told[:3]] += 1
                number += told == "applied"

        def fault(seconds: float) -> Found:
            watch, promoter = Watch(site, 0.1), threading.Thread(target=promote)
            watch.start()
            promoter.start()
            back = []
            for _ in range(10):
                run.services.signal("postgresql", signal.SIGKILL)
                time.sleep(1.0)
                run.services.again("postgresql")
                back.append(time.monotonic())
                time.sleep(max(0.0, seconds / 10 - 1.0))
            ended.set()
            promoter.join()
            recovered = [watch.first_after(moment) for moment in back]
            worst = max((seconds for seconds in recovered if seconds is not None), default=None)
            return {"database_route": watch.end(), "recovered_s": worst, "promotions": dict(said)}

        found = run.measure(site, fault)
        query = "SELECT count(*) FROM models_store_modelversion WHERE stage = 'production'"
        verified = json.loads(site.run("manage.py", "audit_verify", "--json"))
        return found | {"production_versions": int(site.services.sql(query, site.database)), "audit": verified}


def database_away(run: Run) -> Found:
    """Row 13: PostgreSQL is stopped for `seconds`: longer than a verified token is remembered."""
    with run.site() as site:

        def fault(seconds: float) -> Found:
            watch = Watch(site, 0.2)
            run.services.signal("postgresql", signal.SIGKILL)
            watch.start()
            time.sleep(seconds)
            run.services.again("postgresql")
            back = time.monotonic()
            time.sleep(10)
            return {"recovered_s": watch.first_after(back), "database_route": watch.end()}

        return run.measure(site, fault)


def database_slow(run: Run) -> Found:
    """Row 14: every answer of PostgreSQL takes two seconds more."""
    with Proxy(run.services.postgres) as proxy, run.site(postgres=proxy.url) as site:
        return run.measure(site, lambda seconds: _beside_slowness(site, proxy, seconds))


def _beside_slowness(site: Site, proxy: Proxy, seconds: float) -> Found:
    watch = Watch(site, 1.0)
    proxy.delay_s = 2.0
    watch.start()
    time.sleep(seconds)
    proxy.delay_s = 0.0
    return {"database_route": watch.end()}


def database_locked(run: Run) -> Found:
    """Row 14: somebody holds the tables of users, models, versions and predictions."""
    with run.site() as site:

        def fault(seconds: float) -> Found:
            watch = Watch(site, 1.0)
            url = run.services.postgres.rsplit("/", 1)[0] + f"/{site.database}"
            lock = f"BEGIN; LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({seconds}); COMMIT"
            with subprocess.Popen(["psql", "-qtA", url, "-c", lock], stdout=subprocess.DEVNULL) as holder:
                watch.start()
                holder.wait()
            return {"database_route": watch.end()}

        return run.measure(site, fault)
