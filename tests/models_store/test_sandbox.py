"""The child process that opens pickles: nothing hostile runs, and it always comes back or is ended."""

import builtins
import io
import os
import pickle
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest

from models_store.adapters import sandbox
from models_store.adapters.sandbox import ask_child
from models_store.errors import ModelFileError, ModelFileRefusedError
from tests.models_store.made import Calls


@pytest.fixture(autouse=True)
def light_errand(monkeypatch):
    monkeypatch.setattr(sandbox, "CHILD", "tests.models_store")


def opened(blob: bytes) -> str:
    return ask_child("opening", {}, blob).values["opened"]


def dumped(model: object, compress: int = 0) -> bytes:
    blob = io.BytesIO()
    joblib.dump(model, blob, compress=compress)
    return blob.getvalue()


def test_harmless_pickle_is_opened():
    assert opened(dumped(np.arange(3))) == "ndarray"


def hostile(mark: Path) -> dict[str, object]:
    inner = pickle.dumps(Calls(os.system, f"touch {mark}"))
    return {
        "system": Calls(os.system, f"touch {mark}"),
        "exec": Calls(exec, f"open({str(mark)!r}, 'w')"),
        "open": Calls(open, str(mark), "w"),
        "getattr": Calls(getattr, 1, "real"),
        "popen": Calls(subprocess.Popen, ["touch", str(mark)]),
        "socket": Calls(socket.create_connection, ("127.0.0.1", 9)),
        "rmtree": Calls(shutil.rmtree, str(mark.parent)),
        "import": Calls(builtins.__import__, "antigravity"),
        "loads": Calls(pickle.loads, inner),
        "numpy": Calls(np.fromfile, "/etc/passwd"),
        "joblib": Calls(joblib.load, str(mark)),
        "path": Calls(Path.touch, mark),
        "in an array": np.array([Calls(os.system, f"touch {mark}")], dtype=object),
        "in a list": [1, {"deep": (Calls(os.system, f"touch {mark}"),)}],
    }


@pytest.mark.parametrize("name", sorted(hostile(Path("x"))))
def test_hostile_pickle_never_runs(tmp_path, name):
    (tmp_path / "home").mkdir()
    mark = tmp_path / "home" / "mark"
    blob = dumped(hostile(mark)[name], compress=3 if name == "in an array" else 0)
    with pytest.raises(ModelFileRefusedError, match="outside the allow list"):
        opened(blob)
    assert not mark.exists()
    assert mark.parent.exists()


@pytest.mark.parametrize("blob", [b"", b"not a pickle", pickle.dumps(list(range(1000)))[:-5]])
def test_file_that_is_no_pickle_is_refused(blob):
    with pytest.raises(ModelFileError, match="does not open as a pickle"):
        opened(blob)


def test_child_that_uses_too_much_memory_is_refused(monkeypatch):
    monkeypatch.setattr(sandbox, "MEMORY_BYTES", 1024**3)
    with pytest.raises(ModelFileError, match="MemoryError"):
        opened(pickle.dumps(Calls(bytearray, 2 * 1024**3)))


def test_child_that_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(sandbox, "TIMEOUT_S", 0.05)
    with pytest.raises(ModelFileRefusedError, match=r"still being opened after 0\.05 s"):
        opened(pickle.dumps(1))


def test_child_that_dies_is_told():
    with pytest.raises(ModelFileRefusedError, match=r"ended with 1: .*No module named"):
        ask_child("no_such_errand", {}, b"")


def test_child_knows_no_secret(monkeypatch, tmp_path):
    monkeypatch.setenv("JWT_SECRET", "x" * 40)
    assert not any("SECRET" in name for name in sandbox._environment(tmp_path))


def test_child_has_no_network(tmp_path):
    prefix = sandbox._without_network()
    if not prefix:
        pytest.skip("this kernel gives no network of its own to an ordinary user")
    code = "import socket, sys\ntry: socket.create_connection(('127.0.0.1', 9), 1)\nexcept OSError as e: print(e.errno)"
    done = subprocess.run([*prefix, sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "101\n"  # unreachable: not even the loopback device is up


def test_child_that_ends_without_a_word_is_told():
    with pytest.raises(ModelFileRefusedError, match="ended with 0"):
        ask_child("__init__", {}, b"")
