"""Run-time folders that are filled once for all processes of a run of pytest; tests take copies."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlsite.config.schema import ROOT


def copied(factory: pytest.TempPathFactory, kind: str, folder: Path) -> str:
    """Copy a site of this kind (see tests/site.py) into a folder, and return what its maker printed."""
    base = factory.getbasetemp()
    site = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"once-{kind}"
    site.mkdir(exist_ok=True)
    with (site / "lock").open("w") as lock:
        # Whoever comes first fills it; who comes meanwhile would have taken as long.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (site / "said").exists():
            if kind != "bare":
                copied(factory, "bare", site / "var")
            said = fill(kind, {**os.environ, "VAR_DIR": str(site / "var")})
            (site / "said").write_text(said)
    shutil.copytree(site / "var", folder, symlinks=True, dirs_exist_ok=True)
    return (site / "said").read_text()


def fill(kind: str, environ: dict[str, str]) -> str:
    """Fill the run-time folder of an environment, and return what is printed."""
    whole = {**environ, "DJANGO_SETTINGS_MODULE": "mlsite.settings", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.site", kind]
    done = subprocess.run(command, env=whole, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stderr
    return done.stdout
