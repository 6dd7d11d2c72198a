"""Packed files that are broken, hostile or too much: one error each, nothing left behind."""

import gzip
import stat
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.actions.ingest import ingest
from features.errors import InputTooLargeError, UnreadableFileError
from tests.features.packing import zipped, zstd

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]


def test_a_symbolic_link_in_a_zip(tmp_path):
    link = zipfile.ZipInfo("a.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UnreadableFileError, match="symbolic link"):
        ingest("d", [tmp_path / "x.zip"], actor="test")


@pytest.mark.parametrize("name", ["d.csv.gz", "d.csv.zst", "d.csv.zip"])
def test_a_packed_file_cut_short(write, tmp_path, name):
    body = ("a,b\n" + "".join(f"{n},{n * 7919 % 10_007}\n" for n in range(5000))).encode()
    pack = {"d.csv.gz": gzip.compress, "d.csv.zst": zstd}.get(name)
    whole = pack(body) if pack else zipped(tmp_path / "whole.zip", d__csv=body).read_bytes()
    with pytest.raises(UnreadableFileError, match="can't be unpacked whole"):
        ingest("d", [write(name, whole[: len(whole) * 2 // 3])], actor="test")
    assert list((tmp_path / "staging").iterdir()) == []


@pytest.mark.parametrize("name", ["d.csv.gz", "d.csv.zst", "d.csv.zip"])
def test_a_bomb_is_left_before_it_fills_anything(write, tmp_path, settings, name):
    body = b"a\n" + b"1\n" * (40 << 20)
    pack = {"d.csv.gz": gzip.compress, "d.csv.zst": zstd}.get(name)
    path = write(name, pack(body)) if pack else zipped(tmp_path / name, d__csv=body)
    with pytest.raises(InputTooLargeError, match=r"holds over 100 times its \d+ bytes"):
        ingest("d", [path], actor="test")
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_parquet_file_that_holds_far_more_than_it_is(tmp_path):
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"x": pa.repeat(pa.scalar(7), 20_000_000)}), path)
    assert path.stat().st_size < 500_000
    with pytest.raises(InputTooLargeError, match="holds over 100 times"):
        ingest("d", [path], actor="test")
