"""The served product with a real PostgreSQL and Redis, for faults to be made in."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.fault_load import Connection, Load
from tests.mlsite.test_supervisor import alive
from tests.smoke.product import free_port

ROOT = Path(__file__).resolve().parents[1]
START_S = 120
PASSWORD = "faults-Pass-4711"
USERS = f"""
import django; django.setup()
from django.contrib.auth.models import Group, User
user = User.objects.create_superuser("faults", password={PASSWORD!r})
user.groups.set(Group.objects.filter(name__in=["admin", "user"]))
from predictions.actions.issue_token import issue_token
print(issue_token("faults", role="admin", minutes=600, create=False).token)
"""


class Services:
    """The PostgreSQL and Redis that deploy/services.sh starts in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environ = {**os.environ, "SERVICES_DIR": str(folder)}
        said = self._call("up", "postgresql", "redis")
        found = dict(line.removeprefix("export ").split("=", 1) for line in said.splitlines())
        self.postgres, self.redis = found["TEST_POSTGRES_URL"], found["TEST_REDIS_URL"]

    def _call(self, *words: str) -> str:
        command = [str(ROOT / "deploy" / "services.sh"), *words]
        done = subprocess.run(command, env=self._environ, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a service's main process, and wait for its end if it is killed."""
        pid = int((self.folder / name / "pid").read_text())
        os.kill(pid, number)
        while number == signal.SIGKILL and alive(pid):
            time.sleep(0.01)

    def again(self, name: str) -> None:
        """Start a killed service on its port and data."""
        self._call("again", name)

    def down(self) -> None:
        """End both and forget their data."""
        for name in ("postgresql", "redis"):
            with contextlib.suppress(ProcessLookupError):
                self.signal(name, signal.SIGCONT)
        self._call("down", "postgresql", "redis")

    def sql(self, text: str, database: str = "postgres") -> str:
        """Run SQL and return what it says."""
        url = self.postgres.rsplit("/", 1)[0] + f"/{database}"
        done = subprocess.run(["psql", "-qtA", url, "-c", text], capture_output=True, text=True, check=True)
        return done.stdout.strip()


class Site:
    """`manage.py serve` with models in production and a token; each with a database of its own."""

    def __init__(self, folder: Path, services: Services, *, versions: int, workers: int, postgres: str = "") -> None:
        self.var, self.services, self.port, self.workers = folder / "var", services, free_port(), workers
        self.database = f"faults_{uuid4().hex[:8]}"
        services.sql(f"CREATE DATABASE {self.database}")
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DJANGO_SETTINGS_MODULE": "mlsite.settings",
            "VAR_DIR": str(self.var),
            "DATABASE_URL": (postgres or services.postgres).rsplit("/", 1)[0] + f"/{self.database}",
            "REDIS_URL": services.redis,
            "PORT": str(self.port),
            "SERVER__WORKERS": str(workers),
            # On, and counted in Redis; only out of this load's reach.
            "RATE_LIMIT": "1000000/minute",
            "TOKEN_RATE_LIMIT": "1000/minute",
            "JOBS__SWEEP_SECONDS": "2",
            # What the caller sets for the product: SERVER__THREADS=4, say.
            **{name: value for name, value in os.environ.items() if "__" in name},
        }
        self.run("manage.py", "migrate", "--verbosity", "0")
        self.run("-m", "tests.smoke.register_many", str(versions))
        self.token = self.run("-c", USERS).split()[-1]
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: str) -> str:
        """Run Python in the site's environment."""
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{arguments}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done.stdout

    @contextmanager
    def served(self, *options: str) -> Iterator["Site"]:
        """Serve until the block ends."""
        command = [sys.executable, "manage.py", "serve", *options]
        with (self.var / "serve.txt").open("w") as said:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environ, stdout=said, stderr=said)
            try:
                self.wait_until_ready()
                yield self
            finally:
                self.process.terminate()
                self.process.wait(60)

    def wait_until_ready(self) -> None:
        """Return once a model is served."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self.ask("GET", "/api/v1/health/ready")[0] == 200:
                return
            time.sleep(0.1)
        raise SystemExit(f"not ready after {START_S} s\n{(self.var / 'serve.txt').read_text()[-4000:]}")

    def ask(
        self, method: str, path: str, body: Any = None, *, timeout_s: float = 10.0
    ) -> tuple[int, Any, dict[str, str]]:
        """Ask on a new connection; status 0 where there is none."""
        connection = Connection(self.port, self.token, timeout_s)
        try:
            status, said, headers = connection.ask(method, path, None if body is None else json.dumps(body).encode())
        except OSError as error:
            return 0, repr(error), {}
        finally:
            connection.close()
        return status, said.decode(errors="replace"), {name.lower(): value for name, value in headers.items()}

    def promote(self, number: int, stage: str = "production", *, timeout_s: float = 10.0) -> str:
        """Promote a version over HTTP and say what came of it."""
        asked = {"target_stage": stage, "reason": "faults"}
        status, said, _ = self.ask(
            "POST", f"/api/v1/models/flights/versions/{number}/promote", asked, timeout_s=timeout_s
        )
        return str(json.loads(said).get("state", said)) if status in (200, 201, 202) else f"{status} {said[:200]}"

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        lines = self.ask("GET", "/api/v1/metrics")[1].splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    def load(self, rate: float) -> Load:
        """Return a load on the predict route."""
        return Load(self.port, self.token, rate=rate)

    def children(self, text: str) -> list[int]:
        """Return the processes of this site whose command line holds a text, the mother of each group first."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                ours = f"VAR_DIR={self.var}\0".encode() in (folder / "environ").read_bytes() + b"\0"
            except OSError:
                continue
            if ours and text in line:
                found.append(int(folder.name))
        return sorted(found)

    def web_workers(self) -> list[int]:
        """Return the processes that answer: children of the web server's main process, save its log writer."""
        found = []
        for pid in self.children(f"--port {self.port}"):
            try:
                text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
            except OSError:
                continue
            found += [int(child) for child in text.split()]
        said = "".join(path.read_text() for path in (self.var / "logs").glob("log-writer*.log"))
        writers = {int(pid) for pid in re.findall(r"process (\d+) writes the prediction log", said)}
        return [pid for pid in found if pid not in writers]

    def ready_workers(self) -> list[int]:
        """Return those of them that said in their log that they answer."""
        said = "".join(path.read_text() for path in (self.var / "logs").glob("web*.log"))
        ready = {int(pid) for pid in re.findall(r"web process (\d+) answers", said)}
        return [pid for pid in self.web_workers() if pid in ready]
