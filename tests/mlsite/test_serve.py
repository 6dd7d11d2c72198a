"""The whole product as one command: starts, answers, heals, stops."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from django.conf import settings
from django.core.management import call_command

from mlsite.serving import PortBusyError, UnmigratedError, address, bind_port, refuse_unmigrated, web_argv
from mlsite.web import arguments
from tests.mlsite.test_supervisor import alive, wait_for

ROLES = ("-m mlsite.web", "manage.py worker", "manage.py beat")
MANAGE = str(settings.BASE_DIR / "manage.py")


def environ(var_dir: Path, **more: str) -> dict[str, str]:
    """Return the environment of a person who starts the product in a folder of its own."""
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "mlsite.settings", "VAR_DIR": str(var_dir), **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_busy_port_is_one_clear_line_and_nothing_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, MANAGE, "serve"],
            env=environ(tmp_path, PORT=str(port)),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines() == [
        f"port_busy: port {port} on 127.0.0.1 is taken: stop the other server, or choose another with PORT or --port"
    ]
    assert not (tmp_path / "db.sqlite3").exists()


def test_port_that_may_not_be_used_is_named() -> None:
    with pytest.raises(PortBusyError, match=r"port 80 on 192\.0\.2\.1 can't be used"):
        bind_port("192.0.2.1", 80, 2)


@pytest.mark.django_db(transaction=True)
def test_tables_of_another_version_are_refused() -> None:
    refuse_unmigrated()
    call_command("migrate", "pipeline", "zero", fake=True, verbosity=0)
    try:
        with pytest.raises(UnmigratedError, match="start with --migrate"):
            refuse_unmigrated()
    finally:
        call_command("migrate", fake=True, verbosity=0)


def test_what_is_wanted_is_handed_to_the_web_server(monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings.CONFIG.model_copy(update={"ssl_cert": Path("c.pem"), "ssl_key": Path("k.pem")})
    monkeypatch.setattr(settings, "CONFIG", config)
    argv = web_argv(2, "0.0.0.0", 8443)
    asked = arguments(argv[argv.index("mlsite.web") + 1 :])
    assert (asked.workers, asked.host, asked.port, asked.target) == (2, "0.0.0.0", 8443, "mlsite.wsgi:application")
    assert (asked.ssl_certificate, asked.ssl_keyfile) == (Path("c.pem").resolve(), Path("k.pem").resolve())
    assert address("0.0.0.0", 8443) == "https://127.0.0.1:8443"


class Site:
    """A running `serve`, and what it is made of."""

    def __init__(self, var_dir: Path) -> None:
        self.var_dir, self.port = var_dir, free_port()
        self.process = subprocess.Popen(
            [sys.executable, MANAGE, "serve", "--workers", "2", "--port", str(self.port)],
            env=environ(var_dir, JOBS__SWEEP_SECONDS="1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def get(self, path: str) -> tuple[int, Any]:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except (URLError, OSError):
            return 0, ""

    def lives(self) -> bool:
        return self.get("/api/v1/health/live")[0] == 200

    def family(self) -> dict[int, str]:
        """Return pid and command line of every process of this site, itself included."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                variables = (folder / "environ").read_bytes()
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if f"VAR_DIR={self.var_dir}\0".encode() in variables + b"\0" and alive(int(folder.name)):
                found[int(folder.name)] = line
        return found

    def role(self, text: str) -> list[int]:
        return sorted(pid for pid, line in self.family().items() if text in line)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    running = Site(tmp_path)
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.process.communicate(timeout=60)
    for pid in running.family():
        os.kill(pid, signal.SIGKILL)


@pytest.mark.smoke
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the processes in /proc")
def test_serve_answers_heals_and_stops_without_a_trace(site: Site) -> None:
    wait_for(site.lives, 90)
    assert json.loads(site.get("/api/v1/health")[1])["checks"]["broker"]["ok"] is True
    wait_for(lambda: len(site.role("manage.py worker")) >= 2 and site.role("manage.py beat"), 60)

    for text in ROLES:
        before = site.role(text)
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda text=text, gone=before[0]: set(site.role(text)) - {gone}, 60)
        wait_for(lambda gone=before[0]: gone not in site.family())
    wait_for(site.lives, 60)
    run = enqueue(site)
    wait_for(lambda: state_of(site, run) == "succeeded", 60)
    replace_everything(site)

    site.process.send_signal(signal.SIGINT)
    said, _ = site.process.communicate(timeout=40)
    assert site.process.returncode == 0
    assert said.splitlines()[-1] == f"serving at http://127.0.0.1:{site.port} (Ctrl-C stops)"
    assert site.family() == {}
    names = {path.name for path in (site.var_dir / "logs").glob("*.log")}
    assert {"serve.log", "web.log", "web-2.log", "worker.log", "worker-2.log", "beat.log"} <= names


def replace_everything(site: Site) -> None:
    """Ask for new processes, and see that somebody answers all the while."""
    before = {text: set(site.role(text)) for text in ROLES}
    answered: list[bool] = []

    def replaced() -> bool:
        answered.append(site.lives())
        return all(site.role(text) and not before[text] & set(site.role(text)) for text in ROLES)

    site.process.send_signal(signal.SIGUSR1)
    wait_for(replaced, 120)
    assert all(answered)


def shell(site: Site, code: str) -> str:
    done = subprocess.run(
        [sys.executable, MANAGE, "shell", "--no-imports", "-c", code],
        env=environ(site.var_dir),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def enqueue(site: Site) -> str:
    code = "from pipeline.actions.runs import enqueue_run; print(enqueue_run('noop', {}, actor='test').pk)"
    return shell(site, code)


def state_of(site: Site, run: str) -> str:
    return shell(site, f"from pipeline.models import Run; print(Run.objects.get(pk='{run}').state)")
