"""A disk that fills while rows are written: one error, nothing half-written, and it goes on once there is room."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.once import copied

ROOT = Path(__file__).resolve().parents[2]


def manage(var: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "VAR_DIR": str(var), "DJANGO_SETTINGS_MODULE": "mlsite.settings", "APP_ENV": "dev"}
    # The database is not on the small disk: SQLite's own files would fill it first.
    environment["DATABASE_URL"] = f"sqlite:///{var.parent / 'db.sqlite3'}"
    command = [sys.executable, "-W", "ignore", "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def small_disk(tmp_path: Path):
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=False)
    if mounted.returncode:
        pytest.skip("this machine doesn't let a small disk be mounted")
    yield disk
    subprocess.run(["umount", disk], check=True)


def kept(disk: Path) -> list[str]:
    files = (path.relative_to(disk) for path in disk.rglob("*") if path.is_file())
    return sorted(str(path) for path in files if path.name not in (".lock", "filler") and path.parts[0] != "logs")


@pytest.mark.parametrize("room", [200_000, 1_200_000])
def test_a_full_disk_leaves_nothing_and_says_so(small_disk, tmp_path, tmp_path_factory, room):
    rows = "a,b,c\n" + "".join(f"{n},{n * 7919 % 100_003},{n * 0.37:.5f}\n" for n in range(40_000))
    (tmp_path / "d.csv").write_text(rows)
    copied(tmp_path_factory, "bare", small_disk)
    shutil.move(small_disk / "db.sqlite3", tmp_path)
    used = 4_194_304 - os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    filler = small_disk / "filler"
    filler.write_bytes(bytes(max(0, 4_194_304 - used - room)))
    before = kept(small_disk)
    refused = manage(small_disk, "ingest", "d", str(tmp_path / "d.csv"), "--json")
    assert (refused.returncode, json.loads(refused.stdout)["code"]) == (3, "disk_full"), refused.stderr
    assert [name for name in kept(small_disk) if name not in before and not name.startswith("datasets/d/table/")] == []
    filler.unlink()
    again = manage(small_disk, "ingest", "d", str(tmp_path / "d.csv"), "--json")
    assert again.returncode == 0, again.stderr
    assert (json.loads(again.stdout)["version"], json.loads(again.stdout)["rows_valid"]) == (1, 40_000)
