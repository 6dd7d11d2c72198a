#!/usr/bin/env python
"""Time an ingestion from CSV against the least there is to do: DuckDB reads the file and writes Parquet.

Whole processes, start-up included, one of ours and one of DuckDB's in turn. See README.md in this folder.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MADE = """copy (select
    strftime(timestamp '2020-01-01' + to_seconds(i * 7), '%Y-%m-%dT%H:%M:%SZ') as at,
    'user-' || (hash(i) % 50000) as entity,
    (hash(i + 1) % 100000)::int as amount,
    (hash(i + 2) % 1000003) / 1000.0 as price,
    (hash(i + 3) % 2000001)::double / 1000000 - 1 as score,
    ['red', 'green', 'blue', 'black', 'white'][1 + (hash(i + 4) % 5)::int] as colour,
    hash(i + 5) % 2 = 0 as flag,
    case when hash(i + 6) % 20 = 0 then null else (hash(i + 7) % 500)::int end as maybe,
    'item ' || (hash(i + 8) % 1000) as label,
    hash(i + 9) % 3 = 0 as late
    from range({rows}) rows(i)) to '{file}' (header)"""
BARE = "import duckdb; duckdb.sql(\"copy (select * from read_csv('{file}')) to '{out}' (format parquet)\")"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What one process took."""

    seconds: float
    peak_mib: float


def main() -> None:
    """Make the file, run both in turn, print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--file", type=Path, help="a CSV file of yours, instead of one that is made")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as folder:
        print(report(measure(options, Path(folder)), as_json=options.json))


def measure(options: argparse.Namespace, folder: Path) -> dict[str, list[Measured]]:
    """Run both, a round at a time, so that what else the machine does falls on both alike."""
    file = options.file or folder / "rows.csv"
    if not options.file:
        script = f'import duckdb; duckdb.sql("""{MADE.format(rows=options.rows, file=file)}""")'
        run([sys.executable, "-c", script], os.environ)
    environment = {**os.environ, "VAR_DIR": str(folder / "var"), "PYTHONWARNINGS": "ignore"}
    run([sys.executable, "manage.py", "migrate", "-v0"], environment)
    found: dict[str, list[Measured]] = {"ingest": [], "duckdb": []}
    for number in range(options.rounds):
        ours = [sys.executable, "manage.py", "ingest", f"bench{number}", str(file), "--json"]
        found["ingest"].append(run(ours, environment))
        found["duckdb"].append(
            run([sys.executable, "-c", BARE.format(file=file, out=folder / "out.parquet")], os.environ)
        )
    return found


def run(command: Sequence[str], environment: Mapping[str, str]) -> Measured:
    """Run one process to its end."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    complaint = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)[:200]} ended with {process.returncode}: {complaint.decode()[-500:]}")
    return Measured(seconds=time.perf_counter() - started, peak_mib=usage.ru_maxrss / 1024)


def report(found: dict[str, list[Measured]], *, as_json: bool) -> str:
    """Return the medians, the ratio round by round, and the greatest peaks."""
    seconds = {name: statistics.median(each.seconds for each in runs) for name, runs in found.items()}
    peaks = {name: max(each.peak_mib for each in runs) for name, runs in found.items()}
    pairs = zip(found["ingest"], found["duckdb"], strict=True)
    ratio = statistics.median(ours.seconds / bare.seconds for ours, bare in pairs)
    if as_json:
        body = {"seconds": seconds, "ratio": ratio, "peak_mib": peaks, "rounds": len(found["ingest"])}
        return json.dumps(body)
    lines = [f"{name:8s} {seconds[name]:8.2f} s {peaks[name]:8.0f} MiB" for name in found]
    return "\n".join([*lines, f"ratio    {ratio:8.2f}"])


if __name__ == "__main__":
    main()
