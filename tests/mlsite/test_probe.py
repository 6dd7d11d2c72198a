"""The health check of a container."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from mlsite.config.schema import ROOT


def test_probe_fails_where_nobody_answers(tmp_path: Path):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        environ = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), "PORT": str(reserved.getsockname()[1])}
        command = [sys.executable, "-m", "mlsite.probe"]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
