"""Files that are no bundle: archives of other forms, bombs, links, paths, and what is no file at all."""

import io
import os
import stat
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest

from models_store.actions.import_bundle import import_bundle
from models_store.core import bundle as bundles
from models_store.errors import ArtefactTooLargeError, BundleRefusedError
from tests.models_store.test_bundle import ACTOR, bundle, nothing_came

__all__ = ["bundle"]  # a fixture


def zipped(*entries: tuple[Any, bytes], compression: int = zipfile.ZIP_STORED, mode: int = bundles._MODE) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of a name that comes twice
        for name, data in entries:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr, entry.compress_type = 3, mode << 16, compression
            archive.writestr(entry, data)
    return buffer.getvalue()


BOMB = zipped(("bundle.json", bytes(50_000_000)), compression=zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize(
    ("blob", "said"),
    [
        (b"", "no bundle, or it was damaged"),
        (b"PK\x03\x04 half", "no bundle, or it was damaged"),
        (zipped(), "1 to 50 members, got 0"),
        (zipped(*((f"m{number}", b"") for number in range(51))), "got 51"),
        (zipped(("../../etc/cron.d/x", b"x")), "plain name, got '../../etc/cron.d/x'"),
        (zipped(("/etc/passwd", b"x")), "plain name"),
        (zipped(("a/b", b"x")), "plain name"),
        (zipped(("A\\..\\b", b"x")), "plain name"),
        (zipped(("bundle.json", b"x"), ("bundle.json", b"y")), "two members called bundle.json"),
        (zipped(("bundle.json", b"/etc/passwd"), mode=stat.S_IFLNK | 0o777), "no link, no folder, no device"),
        (zipped(("bundle.json", b""), mode=stat.S_IFDIR | 0o755), "no link, no folder"),
        (BOMB, "bundle.json must be stored as it is"),
        (zipped(("bundle.json", b"{}")), "has no bundle.sig, manifest.json, manifest.sig"),
        (b"#!/bin/sh\n" + zipped(*((name, b"") for name in bundles.NEEDED)), "not in the form"),
        (zipped(*((name, b"") for name in bundles.NEEDED)) + b"more", r"not in the form|no bundle"),
    ],
    ids=map(str, range(15)),
)
def test_file_that_is_no_bundle_is_refused_by_its_fault(store, tmp_path, blob, said):
    path = tmp_path / "b.zip"
    path.write_bytes(blob)
    with pytest.raises(BundleRefusedError, match=said):
        import_bundle(path, actor=ACTOR)
    assert nothing_came()


def test_file_over_the_limit_is_not_read(bundle, configure, monkeypatch):
    monkeypatch.setattr(bundles, "OVERHEAD_BYTES", 0)
    configure("model", max_artefact_mb=1)
    with bundle.open("ab") as file:
        file.truncate(2 * 1024 * 1024)
    with pytest.raises(ArtefactTooLargeError, match="a bundle may be 1048576 bytes"):
        import_bundle(bundle, actor=ACTOR)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: None])
def test_path_that_is_no_file_is_refused_at_once(store, tmp_path, make):
    path = tmp_path / "x.zip"
    make(path)
    with pytest.raises(BundleRefusedError, match=r"must be a plain file|No such file"):
        import_bundle(path, actor=ACTOR)
