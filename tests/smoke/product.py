"""The product as a user has it: a clone, a run-time folder, commands, and a server spoken to over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from mlsite.config.schema import ROOT

START_SECONDS = 90
SWAP_SECONDS = 20
STOP_SECONDS = 40


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Product:
    """A clone of this repository with a run-time folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.code, self.var, self.port = folder / "clone", folder / "var", free_port()
        # A clone of somebody else's folder is refused by git unless it is told that this one is meant.
        trust = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        environ = {**os.environ, **trust}
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(self.code)], env=environ, check=True)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "VAR_DIR": str(self.var),
            "PORT": str(self.port),
            "PYTHONDONTWRITEBYTECODE": "1",
            "RATE_LIMIT": "off",
        }

    def manage(self, *arguments: str) -> Any:
        """Run a command with --json and return its answer."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments, "--json"],
            cwd=self.code,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def migrate(self) -> None:
        """Make the tables."""
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=self.code, env=self.environ, check=True, timeout=300)

    @contextmanager
    def served(self) -> Iterator[httpx.Client]:
        """Serve until the block ends, then ask the server to stop and see that it does."""
        log = self.var / "serve.txt"
        with log.open("w") as output:
            command = [sys.executable, "manage.py", "serve"]
            server = subprocess.Popen(command, cwd=self.code, env=self.environ, stdout=output, stderr=output)
            try:
                with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=10) as client:
                    self._wait_until_ready(client, server, log)
                    yield client
                server.send_signal(signal.SIGINT)
                assert server.wait(STOP_SECONDS) == 0, log.read_text()
            finally:
                server.kill()
                server.wait()

    def _wait_until_ready(self, client: httpx.Client, server: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert server.poll() is None, f"serve ended with {server.returncode}\n{log.read_text()}"
            try:
                if client.get("/api/v1/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise AssertionError(f"not ready after {START_SECONDS} s\n{log.read_text()}")

    def is_alive(self) -> bool:
        """Tell what a container's health check says."""
        command = [sys.executable, "-m", "mlsite.probe"]
        return subprocess.run(command, cwd=self.code, env=self.environ, timeout=60, check=False).returncode == 0

    def untracked(self) -> list[str]:
        """Return what the run left in the code's folder."""
        command = ["git", "status", "--porcelain", "--ignored"]
        done = subprocess.run(command, cwd=self.code, env=self.environ, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()
