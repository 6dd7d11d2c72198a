#!/usr/bin/env python
"""Materialize many entities and read them one by one; print seconds and microseconds, beside Feast's where it is given.

Whole processes, ours and the peer's in turn, each on the same Parquet file; finding the newest row of each entity is
part of it. `--feast PYTHON` names a Python that has Feast. See README.md in this folder.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
NOW_US, DAY_US = 1_750_000_000_000_000, 86_400_000_000
READS = 5000
VIEW = {
    "name": "v",
    "dataset": "d",
    "entity": "e",
    "features": [{"name": f"x{n}", "function": "last", "column": f"f{n}", "window": "90d"} for n in range(10)],
}


def main() -> None:
    """Read the options, make the data, run everybody in turn, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=100_000)
    parser.add_argument("--history", type=int, default=30, help="rows an entity")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--feast", metavar="PYTHON", help="a Python that has Feast")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--child", choices=CHILDREN, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return CHILDREN[options.child](options.entities)
    with tempfile.TemporaryDirectory(prefix="online-bench-") as folder:
        figures = measure(options, Path(folder))
    if options.json:
        return print(json.dumps(figures))
    return print("\n".join(f"{name}: {value}" for name, value in figures.items()))


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return medians over the rounds, and how many times faster than the peer each is."""
    data = folder / "history.parquet"
    make_history(data, options.entities, options.history)
    environ = {**os.environ, "VAR_DIR": str(folder / "var")}
    (folder / "view.json").write_text(json.dumps(VIEW))
    apply = ["features", "apply", str(folder / "view.json")]
    for command in (["migrate"], ["ingest", "d", str(data), "--timestamp", "ts"], apply):
        run([sys.executable, str(ROOT / "manage.py"), *command], environ)
    found: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for what in CHILDREN:
            ours = [sys.executable, __file__, "--child", what, "--entities", str(options.entities)]
            note(found, what, run(ours, environ))
            if options.feast:
                peer = [options.feast, str(Path(__file__).with_name("online_feast.py")), what, str(folder), str(data)]
                note(found, f"feast {what}", run([*peer, str(options.entities)], os.environ))
    medians = {name: round(statistics.median(values), 3) for name, values in found.items()}
    ratios = {
        f"times faster, {name}": round(medians[f"feast {name}"] / value, 1)
        for name, value in medians.items()
        if f"feast {name}" in medians
    }
    return {"entities": options.entities, "rows": options.entities * options.history, **medians, **ratios}


def make_history(path: Path, entities: int, history: int) -> None:
    """Write rows in order of time, some for each entity each day."""
    draw = np.random.default_rng(0)
    rows = entities * history
    days = np.repeat(np.arange(history), entities) * DAY_US
    at = np.sort(NOW_US - history * DAY_US + days + draw.integers(0, DAY_US // 2, rows))
    columns = {"e": np.tile(np.arange(entities), history), "ts": pa.array(at).cast(pa.timestamp("us", tz="UTC"))}
    pq.write_table(pa.table(columns | {f"f{n}": draw.standard_normal(rows) for n in range(10)}), path)


def run(command: list[str], environ: Any) -> dict[str, float]:
    """Run a process to its end and return what it printed last, with the seconds of the whole."""
    started, before = time.perf_counter(), os.times()
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} failed: {done.stderr[-2000:]}")
    seconds, after = time.perf_counter() - started, os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return {**(json.loads(lines[-1]) if lines else {}), "process": seconds, "process_cpu": cpu}


def note(found: dict[str, list[float]], name: str, figures: dict[str, float]) -> None:
    """Add one run's figures to those before."""
    for key in ("seconds", "cpu_seconds", "process", "process_cpu", "p50_us", "p99_us"):
        if key in figures and (not key.startswith("process") or "seconds" in figures):
            found.setdefault(f"{name} {key}", []).append(figures[key])


def set_up() -> None:
    """Set Django up as manage.py does."""
    import django

    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlsite.settings")
    django.setup()


def materialize(_: int) -> None:
    """Compute all values and serve them; print the seconds it took, and those of the processor."""
    set_up()
    from features.actions.materialize import materialize

    started, cpu = time.perf_counter(), time.process_time()
    materialize("v", full=True, actor="benchmark")
    print(json.dumps({"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}))


def read(entities: int) -> None:
    """Read one entity at a time, in this process, and print microseconds."""
    set_up()
    from features.adapters.online import read_online

    draw, taken = random.Random(1), []
    for turn in range(READS + 200):
        key = [str(draw.randrange(entities))]
        started = time.perf_counter()
        (row,) = read_online("v", key)
        taken += [(time.perf_counter() - started) * 1e6] if turn >= 200 else []
        if row.status != "present":
            raise SystemExit(f"entity {key[0]} is {row.status}")
    taken.sort()
    print(json.dumps({"p50_us": taken[READS // 2], "p99_us": taken[int(READS * 0.99)]}))


CHILDREN = {"materialize": materialize, "read": read}

if __name__ == "__main__":
    main()
