"""The web server over real HTTP, with small models in production and a token for each role."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from mlsite.config.schema import ROOT
from mlsite.serving import web_argv
from tests.once import copied, fill

START_SECONDS = 300
LANE, DJANGO = "mlsite.wsgi:application", "mlsite.wsgi:django_application"


@dataclass(frozen=True, kw_only=True)
class Site:
    """A run-time folder with migrated tables, models in production, and tokens by role."""

    environ: dict[str, str]
    tokens: dict[str, str]

    @contextmanager
    def served(self, application: str = LANE, **settings: str) -> Iterator["Server"]:
        """Serve an application on a free port until the block ends, with settings by environment variable."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        argv = [application if part == LANE else part for part in web_argv(1, "127.0.0.1", port)]
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


def copied_site(factory: pytest.TempPathFactory, **environ: str) -> Site:
    """Copy a site: `tiny` (the default model) and `kept` classify, `size` regresses; no limits."""
    folder = factory.mktemp("site")
    said = copied(factory, "whole", folder)
    return Site(environ=_environ(folder, environ), tokens=json.loads(said.splitlines()[-1]))


def made_site(folder: Path, **environ: str) -> Site:
    """Make such a site anew, where settings say that its database is elsewhere."""
    whole = _environ(folder, environ)
    return Site(environ=whole, tokens=json.loads(fill("whole", whole).splitlines()[-1]))


def _environ(folder: Path, more: dict[str, str]) -> dict[str, str]:
    settings = {
        "DJANGO_SETTINGS_MODULE": "mlsite.settings",
        "VAR_DIR": str(folder),
        "RATE_LIMIT": "off",
        "MODEL__DEFAULT": "tiny",
        "OMP_NUM_THREADS": "1",
        "PROCESS_ROLE": "web",
    }
    return {**os.environ, **settings, **more}
