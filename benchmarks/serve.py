#!/usr/bin/env python
"""Compare our server, everything on, with the bare web server and with peers.

  benchmarks/peers/setup.sh FOLDER                 # once: an environment for each peer
  .venv/bin/python benchmarks/serve.py --peers FOLDER [WORKLOAD ...]

All servers of a workload are up together and loaded in turn by wrk, which must be on the PATH; figures are medians of
the rounds. The processor time is that of all of a server's processes, so that threads of its web server count too.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve_servers import KINDS, PEERS, Server

# Means of the breast cancer data, which is where the models come from.
ROW = [14.1, 19.3, 92.0, 655, 0.096, 0.104, 0.089, 0.049, 0.18, 0.063, 0.4, 1.2, 2.9, 40, 0.007]
ROW += [0.025, 0.032, 0.012, 0.02, 0.004, 16, 25.7, 107, 880, 0.13, 0.25, 0.27, 0.11, 0.29, 0.084]
YARDSTICKS = ("constant", "fastapi-min", "fastapi-ort", "mlflow", "bentoml")


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What is asked, over how many connections, of whom."""

    model: str
    rows: int
    connections: int
    servers: tuple[str, ...]


WORKLOADS = {
    "lr-1-c64": Workload(model="lr", rows=1, connections=64, servers=("ours", "ours-view", *YARDSTICKS)),
    "lr-1-c1": Workload(model="lr", rows=1, connections=1, servers=("ours", "ours-view", *YARDSTICKS)),
    "lr-100-c64": Workload(model="lr", rows=100, connections=64, servers=("ours", *YARDSTICKS)),
    "lr-1000-c16": Workload(
        model="lr", rows=1000, connections=16, servers=("ours", "ours-arrow", "fastapi-min", "fastapi-ort", "mlflow")
    ),
    "rf-1-c64": Workload(
        model="rf", rows=1, connections=64, servers=("ours", "fastapi-min", "fastapi-ort", "mlflow", "bentoml")
    ),
    "rf-sklearn-1-c64": Workload(
        model="rf", rows=1, connections=64, servers=("ours-sklearn", "fastapi-min", "bentoml", "bentoml-batch")
    ),
}


def main() -> None:
    """Run the workloads that are asked for, and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)} (default: all)")
    parser.add_argument("--peers", type=Path, required=True, help="a folder with an environment for each peer")
    parser.add_argument("--only", default="", help="servers, separated by commas (default: all whose peer is there)")
    parser.add_argument("--base", default="fastapi-min", help="the server ratios are to")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--json", type=Path, help="append one JSON object a row to a file")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not on the PATH: install it, it makes the load")
    if unknown := set(options.workloads) - WORKLOADS.keys():
        raise SystemExit(f"unknown workload {', '.join(sorted(unknown))}; known are {', '.join(WORKLOADS)}")
    for name in options.workloads or WORKLOADS:
        with tempfile.TemporaryDirectory() as folder:
            run(name, options, Path(folder))


def run(name: str, options: argparse.Namespace, folder: Path) -> None:
    """Start the servers of a workload, load them in turn, print their figures."""
    workload, servers = WORKLOADS[name], list[Server]()
    only = set(options.only.split(",")) if options.only else set(workload.servers)
    try:
        for server in (server for server in workload.servers if server in only):
            peer = KINDS[server].peer
            if peer and not (options.peers / peer / "bin" / "python").exists():
                print(f"# {server} is left out: no environment {options.peers / peer}", file=sys.stderr)
                continue
            servers.append(Server(server, workload.model, options.peers, folder / server))
        files = {form: bodies_of(form, workload.rows, folder) for form in {server.kind.form for server in servers}}
        for server in servers:
            answer = server.wait(first_of(files[server.kind.form]))
            print(f"# {server.name} answers {answer[:100]!r}", file=sys.stderr)
            load(server, files[server.kind.form], workload.connections, 1)
        found: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers}
        for _ in range(options.rounds):
            for server in servers:
                found[server.name].append(measured(server, files[server.kind.form], workload, options.seconds))
        report(name, found, {server.name: server.memory_mib() for server in servers}, options)
    finally:
        for server in servers:
            server.stop()


def measured(server: Server, bodies: Path, workload: Workload, seconds: int) -> dict[str, float]:
    """Load a server once; what it does after the load, for its log, counts as its work."""
    server.settle()
    before = server.cpu_seconds()
    said = load(server, bodies, workload.connections, seconds)
    server.settle()
    said["cpu_us"] = (server.cpu_seconds() - before) / max(1, said["requests"]) * 1e6
    return said


def load(server: Server, bodies: Path, connections: int, seconds: int) -> dict[str, float]:
    """Make the load with wrk."""
    environ = {"BENCH_BODIES": str(bodies), "BENCH_PATH": server.kind.path, "BENCH_TYPE": server.kind.content_type}
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(PEERS / "load.lua")]
    command.append(f"http://127.0.0.1:{server.port}")
    environ = os.environ | environ | {"BENCH_TOKEN": server.token or "none"}
    out = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    line = next((line for line in out.splitlines() if line.startswith("@@")), None)
    if line is None:
        raise SystemExit(f"wrk said nothing that could be read:\n{out}")
    said: dict[str, float] = json.loads(line[2:].replace("-nan", "0").replace("nan", "0"))
    said["rps"] = (said["requests"] - said["failed"]) / said["seconds"]
    return said


def report(
    name: str, found: dict[str, list[dict[str, float]]], memory: dict[str, float], options: argparse.Namespace
) -> None:
    """Print one line a server, the fastest first, and note it in the file that was named."""
    rows: list[dict[str, Any]] = []
    for server, rounds in found.items():
        middle = {key: statistics.median(one[key] for one in rounds) for key in ("rps", "p50_ms", "p99_ms", "cpu_us")}
        spread = {"least": min(one["rps"] for one in rounds), "most": max(one["rps"] for one in rounds)}
        failed = sum(one["failed"] for one in rounds)
        rows.append({"workload": name, "server": server, **middle, **spread, "failed": failed, "mib": memory[server]})
    base = next((row["rps"] for row in rows if row["server"] == options.base), None)
    print(f"\n{name}: {options.rounds} x {options.seconds} s, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(
        f"{'server':14} {'rps':>8} {'(least..most)':>16} {'ratio':>7} {'p50 ms':>8} {'p99 ms':>8} "
        f"{'CPU us':>7} {'MiB':>5}"
    )
    for row in sorted(rows, key=lambda row: -row["rps"]):
        row["ratio"] = row["rps"] / base if base else None
        ratio = f"{row['ratio']:7.2f}" if base else "      -"
        print(
            f"{row['server']:14} {row['rps']:8.0f} {row['least']:7.0f}..{row['most']:<7.0f} {ratio} "
            f"{row['p50_ms']:8.3f} {row['p99_ms']:8.2f} {row['cpu_us']:7.0f} {row['mib']:5.0f}"
            + (f"  FAILED {row['failed']:.0f}" if row["failed"] else ""),
            flush=True,
        )
    if options.json:
        with options.json.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)


def bodies_of(form: str, rows: int, folder: Path) -> Path:
    """Write different bodies, so that no cache of answers is measured."""
    draw, path = random.Random(1), folder / f"bodies-{form}"
    with path.open("wb") as file:
        for _ in range(64 if rows < 1000 else 24):
            table = [[float(f"{value * draw.uniform(0.7, 1.4):.6g}") for value in ROW] for _ in range(rows)]
            body = arrow(table) if form == "arrow" else json.dumps({form: table}, separators=(",", ":")).encode()
            file.write(struct.pack(">I", len(body)) + body)
    return path


def arrow(table: list[list[float]]) -> bytes:
    """Return rows as one Arrow column of lists, which holds them in the order of the model's columns."""
    import pyarrow as pa

    cells = pa.array([cell for row in table for cell in row])
    batch = pa.table({"rows": pa.FixedSizeListArray.from_arrays(cells, len(ROW))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_table(batch)
    return bytes(sink.getvalue())


def first_of(path: Path) -> bytes:
    """Return the first body of a file."""
    content = path.read_bytes()
    return content[4 : 4 + struct.unpack(">I", content[:4])[0]]


if __name__ == "__main__":
    main()
