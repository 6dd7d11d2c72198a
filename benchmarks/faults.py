#!/usr/bin/env python
"""Break one thing after another under the served product while it answers 200 predict requests a second.

    python -m benchmarks.faults redis-frozen            one row; `all` for each in turn
    python -m benchmarks.faults promotions --seconds 30 a shorter one

Starts a PostgreSQL and a Redis of its own (deploy/services.sh) and `manage.py serve`, measures without a fault, makes
the fault, and prints one JSON object a row: `base` and `fault` with requests, failed, wrong, late (over a second) and
latencies in ms, all of one run. See README.md in this folder.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import fault_server as server
from benchmarks import fault_services as services
from benchmarks.fault_run import Found, Run
from benchmarks.fault_site import Services

ROWS: dict[str, tuple[Callable[[Run], Found], float]] = {
    "redis-down": (services.redis_down, 60),
    "redis-frozen": (services.redis_frozen, 60),
    "database-killed": (services.database_killed, 60),
    "database-away": (services.database_away, 45),
    "database-slow": (services.database_slow, 30),
    "database-locked": (services.database_locked, 30),
    "promotions": (server.promotions, 100),
    "workers-killed": (server.workers_killed, 60),
    "rolling": (server.rolling, 0),
    "shadow-slow": (server.shadow_slow, 30),
    "shadow-crashing": (server.shadow_crashing, 30),
}


def main() -> None:
    """Run the rows that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="+", choices=[*ROWS, "all"], metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    parser.add_argument("--seconds", type=float, help="how long the fault lasts (default: by row)")
    parser.add_argument("--base", type=float, default=15, help="how long is measured before it")
    parser.add_argument("--warm", type=float, default=5, help="how long is not measured at all")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20, help="of the rolling restart")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # So that what was started is ended when this is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given = options.seconds
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        # PostgreSQL runs as a user of its own.
        Path(name).chmod(0o755)
        started = Services(Path(name, "services"))
        try:
            for row in ROWS if "all" in options.rows else options.rows:
                function, seconds = ROWS[row]
                options.seconds = seconds if given is None else given
                found = function(Run(options, started, Path(name)))
                print(json.dumps({"row": row, "rate": options.rate, "seconds": options.seconds, **found}), flush=True)
        finally:
            started.down()


if __name__ == "__main__":
    sys.exit(main())
