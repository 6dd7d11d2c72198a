"""The web server over real HTTP, with small models in production and a token for each role."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from mlsite.config.schema import ROOT
from mlsite.serving import web_argv

START_SECONDS = 300
LANE, DJANGO = "mlsite.wsgi:application", "mlsite.wsgi:django_application"


@dataclass(frozen=True, kw_only=True)
class Site:
    """A run-time folder with migrated tables, models in production, and tokens by role."""

    environ: dict[str, str]
    tokens: dict[str, str]

    @contextmanager
    def served(self, application: str = LANE, *, threads: int = 0, **settings: str) -> Iterator["Server"]:
        """Serve an application on a free port until the block ends, with settings by environment variable.

        With `threads`, of so many at most, instead of all that slow clients may need.
        """
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        argv = [application if part == LANE else part for part in web_argv(1, "127.0.0.1", port)]
        if threads:
            argv[argv.index("--blocking-threads") + 1] = str(threads)
        environ = {**self.environ, **settings}
        with subprocess.Popen(argv, env=environ, cwd=ROOT) as process:
            try:
                yield Server(port=port, pid=process.pid).wait(process)
            finally:
                process.terminate()
                process.wait(20)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running web server."""

    port: int
    pid: int

    @property
    def base(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}"

    def wait(self, process: "subprocess.Popen[bytes]") -> "Server":
        """Return when it is ready."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, f"the server ended with {process.returncode}"
            try:
                if httpx.get(f"{self.base}/api/v1/health/ready", timeout=10).status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(f"not ready after {START_SECONDS} s")

    def resident_bytes(self) -> int:
        """Return the memory of its worker processes."""
        found = 0
        for child in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split():
            found += int(Path(f"/proc/{child}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return found


def made(folder: Path, **environ: str) -> Site:
    """Make a site in a folder: `tiny` (the default model) and `kept` classify, `size` regresses; no limits."""
    settings = {
        "DJANGO_SETTINGS_MODULE": "mlsite.settings",
        "VAR_DIR": str(folder),
        "RATE_LIMIT": "off",
        "MODEL__DEFAULT": "tiny",
        "OMP_NUM_THREADS": "1",
        "PROCESS_ROLE": "web",
    }
    whole = {**os.environ, **settings, **environ}
    command = [sys.executable, "-m", "tests.site"]
    done = subprocess.run(command, env=whole, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stderr
    return Site(environ=whole, tokens=json.loads(done.stdout.splitlines()[-1]))
