#!/usr/bin/env python
"""Watch the memory of a web worker over many requests.

  .venv/bin/python benchmarks/memory.py --peers FOLDER [--requests 1000000] [--connections 64]

Our server with everything on, and the model of `lr-1-c64`; what is printed is the proportional memory of its largest
process, after each tenth of the requests and once its log is written.
"""

import argparse
import tempfile
from pathlib import Path

from serve import WORKLOADS, bodies_of, first_of, load
from serve_servers import Server

SLICE_S = 5


def main() -> None:
    """Ask so many times, and print what the worker takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, required=True, help="the folder of benchmarks/serve.py")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    workload = WORKLOADS["lr-1-c64"]
    with tempfile.TemporaryDirectory() as folder:
        server = Server("ours", workload.model, options.peers, Path(folder) / "ours")
        try:
            bodies = bodies_of(server.kind.form, workload.rows, Path(folder))
            server.wait(first_of(bodies))
            print(f"{'requests':>10} {'MiB':>6}\n{0:10} {server.memory_mib():6.0f}", flush=True)
            done, shown = 0.0, 1
            while done < options.requests:
                done += load(server, bodies, options.connections, SLICE_S)["requests"]
                if done >= options.requests * shown / 10:
                    shown = int(done * 10 / options.requests) + 1
                    server.settle()
                    print(f"{done:10.0f} {server.memory_mib():6.0f}", flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
