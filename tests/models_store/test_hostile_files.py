"""A corpus of hostile model files, made here: each is refused through the doors people use, and none ever runs."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from models_store.actions.import_bundle import import_bundle
from models_store.actions.register_file import register_file
from models_store.adapters.sandbox import ANSWER_BYTES, CPU_S, MEMORY_BYTES
from models_store.core.schema import checked_input_schema
from models_store.errors import ArtefactError, ModelFileError, ModelFileRefusedError, PickleRefusedError
from models_store.models import AuditEntry, ModelVersion
from tests.models_store.child_forks import answer, run_errands
from tests.models_store.made import Calls

REFUSED = (ModelFileRefusedError, ModelFileError)
ROWS = np.random.default_rng(0).normal(size=(40, 2))
FITTED = LogisticRegression().fit(ROWS, ROWS[:, 0] > 0)


def touch(mark: Path) -> Calls:
    return Calls(os.system, f"touch {mark}")


def dumped(model: object, compress: int | tuple[str, int] = 0) -> bytes:
    blob = io.BytesIO()
    joblib.dump(model, blob, compress=compress)
    return blob.getvalue()


class Stateful(Calls):
    """An object that pickles into a harmless call, and hides another in its state."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (dict, (), None, None, iter([("key", touch(self.mark))]))


def with_attribute(mark: Path) -> BaseEstimator:
    model = LogisticRegression().fit(ROWS, ROWS[:, 0] > 0)
    model.classes_ = touch(mark)
    return model


def by_opcode(mark: Path) -> bytes:
    """Return a pickle of protocol 0, written by hand."""
    return f"cposix\nsystem\n(S'touch {mark}'\ntR.".encode()


def by_instance(mark: Path) -> bytes:
    return f"(S'touch {mark}'\niposix\nsystem\n.".encode()


def by_stack(mark: Path) -> bytes:
    """Return a pickle whose names come from the stack, where a search for `posix system` finds nothing."""
    text = f"touch {mark}".encode()
    return (
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c"
        + bytes([len(text)]) + text + b"\x85R."
    )  # fmt: skip


def walked(mark: Path) -> bytes:
    """Return a pickle that walks from an allowed library to what it has imported."""
    return b"\x80\x04\x8c\x0csklearn.base\x8c\x0cwarnings.sys\x93."


def through_memo(mark: Path) -> bytes:
    return pickle.dumps([touch(mark)] * 3, protocol=2)


def persistent(mark: Path) -> bytes:
    return b"\x80\x04\x8c\x04evilQ."


def extension(mark: Path) -> bytes:
    return b"\x80\x02\x82\x01."


def second_in_line(mark: Path) -> bytes:
    """Return a good model and, after its end, a second pickle that nobody asked for."""
    return pickle.dumps({"not": "a model"}) + pickle.dumps(touch(mark))


PICKLES: dict[str, Callable[[Path], bytes]] = {
    "system.joblib": lambda mark: dumped(touch(mark)),
    "system.pkl": lambda mark: pickle.dumps(touch(mark)),
    "zlib.joblib": lambda mark: dumped(touch(mark), compress=9),
    "gzip.joblib": lambda mark: dumped(touch(mark), compress=("gzip", 3)),
    "bz2.joblib": lambda mark: dumped(touch(mark), compress=("bz2", 3)),
    "lzma.joblib": lambda mark: dumped(touch(mark), compress=("lzma", 3)),
    "xz.joblib": lambda mark: dumped(touch(mark), compress=("xz", 3)),
    "gzip.pkl": lambda mark: gzip.compress(pickle.dumps(touch(mark))),
    "bz2.pkl": lambda mark: bz2.compress(pickle.dumps(touch(mark))),
    "lzma.pkl": lambda mark: lzma.compress(pickle.dumps(touch(mark))),
    "zlib.pkl": lambda mark: zlib.compress(pickle.dumps(touch(mark))),
    "array.joblib": lambda mark: dumped(np.array([touch(mark)], dtype=object)),
    "array-zlib.joblib": lambda mark: dumped({"w": np.array([[touch(mark)]], dtype=object)}, compress=3),
    "deep.joblib": lambda mark: dumped([1, {"a": (2, [touch(mark)])}]),
    "attribute.joblib": lambda mark: dumped(with_attribute(mark)),
    "pipeline.joblib": lambda mark: dumped(make_pipeline(FunctionTransformer(os.system), LogisticRegression())),
    "state.pkl": lambda mark: pickle.dumps(Stateful(mark)),
    "memo.pkl": through_memo,
    "opcode.pkl": by_opcode,
    "instance.pkl": by_instance,
    "stack.pkl": by_stack,
    "walked.pkl": walked,
    "persistent.pkl": persistent,
    "extension.pkl": extension,
    "second.pkl": second_in_line,
    "exec.pkl": lambda mark: pickle.dumps(Calls(exec, f"open({str(mark)!r}, 'w')")),
}  # fmt: skip


def node(module: str, name: str, loader: str = "ObjectNode", **more: object) -> dict[str, object]:
    """Return one object of a skops file's schema."""
    return {"__class__": name, "__module__": module, "__loader__": loader, "__id__": 1, **more}


def skopsed(root: dict[str, object], **files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", json.dumps({**root, "protocol": 1, "_skops_version": "0.13.0"}))
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def text(value: str) -> dict[str, object]:
    return node("builtins", "str", "JsonNode", content=json.dumps(value), is_json=True)


def function_of(module: str, name: str) -> dict[str, object]:
    return node("builtins", "function", "FunctionNode", content={"module_path": module, "function": name})


def calling(mark: Path) -> dict[str, object]:
    """Return an object that is made by a call of os.system."""
    return node(
        "posix", "system", "ReduceNode",
        constructor=node("posix", "system", "TypeNode"), reduce={"args": text(f"touch {mark}")}, content=text(""),
    )  # fmt: skip


def skops_of(model: BaseEstimator, change: Callable[[str], str]) -> bytes:
    """Return a good skops file with its schema changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as good, zipfile.ZipFile(buffer, "w") as archive:
        for name in good.namelist():
            data = good.read(name)
            archive.writestr(name, change(data.decode()).encode() if name == "schema.json" else data)
    return buffer.getvalue()


RIDGE = Ridge().fit(ROWS, ROWS[:, 0])
SKOPS: dict[str, Callable[[Path], bytes]] = {
    "call.skops": lambda mark: skopsed(calling(mark)),
    "function.skops": lambda mark: skopsed(function_of("os", "system")),
    "type.skops": lambda mark: skopsed(node("os", "system", "TypeNode")),
    "operator.skops": lambda mark: skopsed(node("operator", "methodcaller", "OperatorFuncNode", attrs=text("system"))),
    "transformer.skops": lambda mark: skops.io.dumps(make_pipeline(FunctionTransformer(os.system), Ridge())),
    "renamed.skops": lambda mark: skops_of(RIDGE, lambda schema: schema.replace("Ridge", "system")),
    "foreign.skops": lambda mark: skops_of(RIDGE, lambda schema: schema.replace("sklearn.linear_model._ridge", "os")),
    "loader.skops": lambda mark: skops_of(RIDGE, lambda schema: schema.replace("ObjectNode", "PickleNode")),
    "array.skops": lambda mark: skopsed(
        node("numpy", "ndarray", "NdArrayNode", type="numpy", file="a.npy"),
        **{"a.npy": npy(np.array([touch(mark)], dtype=object))},
    ),
    "pickle.skops": lambda mark: pickle.dumps(touch(mark)),
    "joblib.skops": lambda mark: dumped(touch(mark), compress=3),
    "path.skops": lambda mark: skopsed(
        node("numpy", "ndarray", "NdArrayNode", type="numpy", file="../../a.npy"), **{"../../a.npy": b"x"}
    ),
}  # fmt: skip


def npy(array: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)  # type: ignore[arg-type]
    return buffer.getvalue()


FILES = PICKLES | SKOPS


# Opening is the same for all files of a kind, and starts a process each time: these stand for how they are refused.
OPENED = {"system.joblib", "stack.pkl", "persistent.pkl", "exec.pkl", "call.skops", "array.skops", "pickle.skops"}
ERRANDS = {".skops": "skops_files", ".joblib": "pickles", ".pkl": "pickles"}
REQUEST = {
    "columns": checked_input_schema([{"name": "f0"}, {"name": "f1"}]),
    "parity_rows": 20,
    "parity_tolerance": 1e-4,
    "limits": {"memory_bytes": MEMORY_BYTES, "cpu_s": CPU_S, "file_bytes": ANSWER_BYTES},
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_hostile_file_is_refused_and_never_runs(store: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "home").mkdir()
    mark, path = tmp_path / "home" / "mark", tmp_path / name
    path.write_bytes(FILES[name](mark))
    if name in OPENED:
        with pytest.raises(REFUSED):
            register_file("late", path, allow_pickle=True, n_features=2, actor="cli:tests")
    if name in PICKLES:
        with pytest.raises(PickleRefusedError):
            register_file("late", path, actor="cli:tests")
    with pytest.raises(ArtefactError):
        import_bundle(path, actor="cli:tests")
    assert not mark.exists()
    assert mark.parent.exists()
    assert not ModelVersion.objects.exists()
    refused = AuditEntry.objects.filter(action__endswith="_refused").count()
    assert refused == 1 + (name in OPENED) + (name in PICKLES)


def test_every_hostile_file_is_refused_by_the_child(tmp_path: Path) -> None:
    for name, made in FILES.items():
        folder = tmp_path / name
        (folder / "home").mkdir(parents=True)
        (folder / "model.bin").write_bytes(made(folder / "home" / "mark"))
        (folder / "request.json").write_text(json.dumps(REQUEST))
    run_errands([(ERRANDS[Path(name).suffix], tmp_path / name) for name in FILES])
    said = {name: answer(tmp_path / name) for name in FILES}
    assert {name: found for name, found in said.items() if not found.keys() <= {"refused", "unusable"}} == {}
    assert [mark for name in FILES for mark in (tmp_path / name / "home").iterdir()] == []
    kept = {path.name for name in FILES for path in (tmp_path / name).iterdir()}
    assert kept == {"answer.json", "home", "model.bin", "request.json"}


def test_a_good_file_is_described_by_the_same_child(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(dumped(FITTED))
    (tmp_path / "request.json").write_text(json.dumps(REQUEST))
    run_errands([("pickles", tmp_path)])
    assert answer(tmp_path)["estimator"] == "LogisticRegression"


def test_marks_are_made_where_nobody_guards(tmp_path: Path) -> None:
    """The corpus bites: opened the plain way, these files do run."""
    bites = [
        "system.joblib",
        "lzma.joblib",
        "opcode.pkl",
        "instance.pkl",
        "stack.pkl",
        "memo.pkl",
        "state.pkl",
    ]
    for name in [*bites, "attribute.joblib", "array-zlib.joblib"]:
        mark = tmp_path / name.replace(".", "-")
        joblib.load(io.BytesIO(FILES[name](mark)))
        assert mark.exists(), name
