"""A real server in a folder of its own, to be asked and killed."""

import json
import os
import signal
import subprocess
import threading
import time
from http.client import HTTPConnection, HTTPException
from typing import Any

import pytest
from django.conf import settings

from mlsite.serving import web_argv
from tests.mlsite.test_serve import free_port
from tests.mlsite.test_supervisor import wait_for
from tests.once import copied, fill

BODY = b'{"data": [[4.0, 1.5, "red"]]}'
PREDICT = "/api/v1/models/tiny/predict"


class Served:
    """The web server with the model `tiny` in production; no token is asked for and nothing is limited."""

    def __init__(self, factory: pytest.TempPathFactory, *, workers: int = 1, **more: str) -> None:
        self.var_dir, self.port, self.workers = factory.mktemp("served"), free_port(), workers
        if "DATABASE_URL" not in more:
            copied(factory, "tiny", self.var_dir)
        # The path of each answer there was.
        self.answered: list[str] = []
        metrics = self.var_dir / "prometheus"
        metrics.mkdir()
        self.environ = {
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "DJANGO_SETTINGS_MODULE": "mlsite.settings",
            "VAR_DIR": str(self.var_dir),
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
            "ENABLE_AUTH": "false",
            "RATE_LIMIT": "off",
            **more,
        }
        if "DATABASE_URL" in more:
            fill("tiny", self.environ)
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, argv: list[str]) -> str:
        done = subprocess.run(
            argv, env=self.environ, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        argv = web_argv(self.workers, "127.0.0.1", self.port)
        with (self.var_dir / "server.txt").open("ab") as said:
            self.process = subprocess.Popen(
                argv, env=self.environ, cwd=settings.BASE_DIR, start_new_session=True, stdout=said, stderr=said
            )
        wait_for(lambda: self.ask() is not None, 60)

    def ask(self, path: str = PREDICT, body: bytes = BODY) -> dict[str, Any] | None:
        """Return the answer, or None if there is none."""
        client = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            client.request("POST", path, body, {"Content-Type": "application/json"})
            answer = client.getresponse()
            if answer.status != 200:
                return None
            found: dict[str, Any] = json.loads(answer.read())
            self.answered.append(path)
            return found
        except (OSError, HTTPException):
            return None
        finally:
            client.close()

    def get(self, path: str) -> str:
        client = HTTPConnection("127.0.0.1", self.port, timeout=10)
        client.request("GET", path)
        text = client.getresponse().read().decode()
        client.close()
        return text

    def metric(self, name: str) -> int:
        lines = [line for line in self.get("/api/v1/metrics").splitlines() if line.startswith(f"{name} ")]
        return int(float(lines[0].split()[1])) if lines else 0

    def kill(self) -> None:
        """End every process of the server at once, as a failing machine would."""
        self.stop(signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, number)
            self.process.wait(timeout=30)
            self.process = None


class Load:
    """Asks from a few threads and notes each answer's id and when it came."""

    def __init__(self, served: Served, threads: int = 4) -> None:
        self.served, self.answers = served, list[tuple[float, str]]()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            client = HTTPConnection("127.0.0.1", self.served.port, timeout=10)
            try:
                while not self._stop.is_set():
                    client.request("POST", PREDICT, BODY, {"Content-Type": "application/json"})
                    answer = client.getresponse()
                    body = answer.read()
                    if answer.status == 200:
                        self.answers.append((time.monotonic(), json.loads(body)["prediction_id"]))
            except (OSError, HTTPException):
                time.sleep(0.05)
            finally:
                client.close()

    def ids(self, before: float | None = None) -> set[str]:
        return {key for at, key in self.answers if before is None or at < before}
