"""Eight processes that bring files to one dataset at once: every row once, versions without a gap, bytes once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings

from features.actions.ingest import ingest
from features.adapters.locks import one_writer
from features.errors import DatasetBusyError
from features.models import DatasetVersion
from tests.pipeline.jobs import child_environ

PROCESSES = 8
RACERS = """
import json, os, sys
from pathlib import Path
import django; django.setup()
from django.conf import settings
from features.actions.ingest import ingest
from features.adapters.delta import read_table
from features.models import DatasetVersion
folder, apart = Path(sys.argv[2]), len(sys.argv) > 3
gate, open_gate = os.pipe()
racers = []
for place in range(int(sys.argv[1])):
    if racer := os.fork():
        racers.append(racer)
        continue
    os.close(open_gate)
    os.read(gate, 1)
    if apart:  # each on a machine of its own, as far as files and locks in folders go
        settings.VAR_DIR = folder / f"machine{place}"
    try:
        ingest("d", [folder / f"{place}.csv"], actor=f"racer{place}")
        ingest("d", [folder / "same.csv"], actor=f"racer{place}")
        os._exit(0)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
os.close(open_gate)
codes = [os.waitpid(racer, 0)[1] for racer in racers]
versions = list(DatasetVersion.objects.order_by("number"))
rows = [sorted(read_table("d", one.delta_version)["x"].to_pylist()) for one in versions]
print(json.dumps({"codes": codes, "numbers": [one.number for one in versions], "rows": rows,
                  "totals": [one.rows_total for one in versions], "valid": [one.rows_valid for one in versions]}))
"""


@pytest.fixture
def files(write: Callable[[str, str], Path], tmp_path: Path) -> Path:
    for place in range(PROCESSES):
        write(f"{place}.csv", "x\n" + f"{place}\n" * 20)
    write("same.csv", "x\n" + "100\n" * 7)
    return tmp_path


def race(folder: Path, environ: Mapping[str, str], *more: str) -> None:
    command = [sys.executable, "-c", RACERS, str(PROCESSES), str(folder), *more]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["codes"] == [0] * PROCESSES, done.stderr
    assert found["numbers"] == list(range(1, PROCESSES + 2))
    assert found["rows"][-1] == sorted([place for place in range(PROCESSES) for _ in range(20)] + [100] * 7)
    assert found["totals"] == [len(rows) for rows in found["rows"]]
    assert sorted(found["valid"]) == [7] + [20] * PROCESSES


@pytest.mark.django_db(transaction=True)
def test_processes_of_one_machine_bring_each_row_once(files: Path, var_dir: Path) -> None:
    race(files, child_environ(VAR_DIR=str(var_dir)))


@pytest.mark.django_db(transaction=True)
def test_whoever_waits_too_long_is_told_and_nothing_is_written(
    write: Callable[[str, str], Path], var_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = settings.CONFIG.features.model_copy(update={"lock_wait_s": 0.2})
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"features": features}))
    with one_writer("d"), pytest.raises(DatasetBusyError, match=r"for 0\.2 s; nothing was written"):
        ingest("d", [write("d.csv", "x\n1\n")], actor="test")
    assert not DatasetVersion.objects.exists()


@pytest.fixture
def postgres() -> Iterator[str]:
    """Give the address of a database of the test's own."""
    server = os.environ.get("TEST_POSTGRES_URL")
    if not server:
        pytest.skip("TEST_POSTGRES_URL names no PostgreSQL")
    name = f"race_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.postgres
def test_machines_that_share_a_database_and_a_store_bring_each_row_once(postgres: str, files: Path) -> None:
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "mlsite.settings", "PYTHONPATH": str(settings.BASE_DIR)}
    environ |= {"DATABASE_URL": postgres, "STORAGE_URL": f"file://{files}/shared", "VAR_DIR": str(files / "var")}
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py"), "migrate", "--verbosity", "0"]
    subprocess.run(manage, env=environ, check=True, timeout=120)
    race(files, environ, "apart")
