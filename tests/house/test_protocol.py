"""The messages of gRPC are those of inference.proto."""

import subprocess
import sys
from pathlib import Path

from mlsite.config.schema import ROOT

PROTO = Path("predictions/rpc/inference.proto")


def test_the_generated_messages_are_fresh(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([*command, str(PROTO)], cwd=ROOT, check=True)
    for name in ("inference_pb2.py", "inference_pb2.pyi"):
        kept = (ROOT / PROTO).with_name(name).read_text()
        assert (tmp_path / PROTO).with_name(name).read_text() == kept, "run `make proto`"
