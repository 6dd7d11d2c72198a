"""Files as people have them: packed, separated, quoted and encoded otherwise, partitioned into folders."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.actions.ingest import ingest
from features.adapters.delta import read_table
from features.adapters.reading import ReadOptions
from features.errors import (
    ColumnsError,
    EmptyFileError,
    HeaderError,
    InputTooLargeError,
    ReadOptionError,
    UnreadableFileError,
)
from features.models import Dataset, DatasetVersion
from tests.features.packing import zipped, zstd

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]
BODY = "a,b\n1,x\n2,y\n"
ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def rows(name: str = "d") -> list[dict]:
    # The table keeps rows, not their order.
    return sorted(read_table(name, DatasetVersion.objects.resolve(name).delta_version).to_pylist(), key=str)


@pytest.mark.parametrize(
    ("name", "pack"), [("d.csv.gz", gzip.compress), ("d.csv.zst", zstd), ("d.csv", gzip.compress), ("d.tsv", bytes)]
)
def test_packed_bytes_are_the_version_their_content_is(write, name, pack):
    read = ReadOptions(delimiter="comma")
    plain = ingest("d", [write("plain.csv", BODY)], actor="test", read=read)
    again = ingest("d", [write(name, pack(BODY.encode()))], actor="test", read=read)
    assert (again.version, again.created, again.fingerprint) == (1, False, plain.fingerprint)
    assert rows() == ROWS


def test_a_zip_of_one_file_is_that_file(write, tmp_path):
    ingest("d", [write("plain.csv", BODY)], actor="test")
    assert not ingest("d", [zipped(tmp_path / "x.zip", d__csv=BODY.encode())], actor="test").created
    assert not ingest("d", [zipped(tmp_path / "d.csv.zip", data=BODY.encode())], actor="test").created


def test_a_zip_of_several_files_is_these_files(tmp_path):
    added = ingest("d", [zipped(tmp_path / "x.zip", a__csv=b"a,b\n1,x\n", b__csv=b"a,b\n2,y\n")], actor="test")
    assert added.rows_valid == 2
    assert rows() == ROWS


def test_json_lines_come_packed_and_marked_too(write):
    body = b'\xef\xbb\xbf{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n'
    ingest("d", [write("d.jsonl.gz", gzip.compress(body))], actor="test")
    assert rows() == ROWS


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("a;b\n1;x\n2;y\n", ReadOptions(delimiter=";")),
        ("a\tb\n1\tx\n2\ty\n", ReadOptions(delimiter="tab")),
        ("a,b\n'1',x\n2,'y'\n", ReadOptions(quote="'")),
        ("1,x\n2,y\n", ReadOptions(header=False, columns=("a", "b"))),
        ("a,b\r\n1,x\r\n\r\n2,y\r\n", ReadOptions()),
        ("a,b\r1,x\r2,y\r", ReadOptions()),
        ("\n\na,b\n1,x\n2,y", ReadOptions()),
    ],
)
def test_signs_and_line_breaks_may_be_others(write, body, read):
    ingest("d", [write("d.csv", body)], actor="test", read=read)
    assert rows() == ROWS


def test_a_quote_is_a_sign_like_any_other_where_nothing_quotes(write):
    ingest("d", [write("d.csv", 'a,b\n1,"x\n2,y"\n')], actor="test", read=ReadOptions(quote="none"))
    assert [row["b"] for row in rows()] == ['"x', 'y"']


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig"])
def test_text_of_other_encodings_is_understood(write, encoding):
    body = "town,n\nZürich,1\nMálaga,2\n".encode(encoding)
    ingest("d", [write("d.csv", body)], actor="test", read=ReadOptions(encoding=encoding))
    assert [row["town"] for row in rows()] == ["Málaga", "Zürich"]


@pytest.mark.parametrize(
    ("encoding", "body", "byte"),
    [
        ("utf-8", b"a\nZ\xfcrich\n", 3),
        ("ascii", b"a\nZ\xfcrich\n", 3),
        ("utf-16", "a\nb\n".encode("utf-16") + b"x", 10),
    ],
)
def test_another_encoding_than_said_names_the_byte(write, encoding, body, byte):
    with pytest.raises(UnreadableFileError, match=f"byte {byte} is not part of a character") as refused:
        ingest("d", [write("d.csv", body)], actor="test", read=ReadOptions(encoding=encoding))
    assert "--encoding" in refused.value.message


def test_utf_16_is_recognised_in_the_hint(write):
    with pytest.raises(UnreadableFileError, match="such as utf-16"):
        ingest("d", [write("d.csv", BODY.encode("utf-16"))], actor="test")


@pytest.mark.parametrize(
    "read",
    [
        ReadOptions(delimiter="::"),
        ReadOptions(delimiter="é"),
        ReadOptions(delimiter="\n"),
        ReadOptions(quote=","  , delimiter=","),
        ReadOptions(encoding="klingon"),
        ReadOptions(encoding="base64"),
        ReadOptions(encoding="unicode_escape"),
        ReadOptions(format="xml"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense(write, read):
    with pytest.raises(ReadOptionError):
        ingest("d", [write("d.csv", BODY)], actor="test", read=read)


def test_how_bytes_are_read_is_part_of_their_name(write):
    path = write("d.csv", "a,b\n1,'x'\n")
    prints = {
        ingest("d", [path], actor="test", read=read).fingerprint
        for read in (ReadOptions(), ReadOptions(quote="'"), ReadOptions(encoding="latin-1"))
    }
    assert len(prints) == 3


def test_a_folder_of_parquet_has_the_columns_its_folders_name(tmp_path):
    root = tmp_path / "table"
    for year, month, values in ((2023, "01", [1, 2]), (2024, "02", [3])):
        place = root / f"year={year}" / f"month={month}" / "day=2024-02-01"
        place.mkdir(parents=True)
        pq.write_table(pa.table({"x": values}), place / "part-0.parquet")
    (root / "_SUCCESS").write_text("")
    ingest("d", [root], actor="test")
    kinds = {column.name: column.dtype for column in Dataset.objects.get().columns()}
    assert kinds == {"x": "integer", "year": "integer", "month": "string", "day": "timestamp"}
    assert [(row["x"], row["year"], row["month"]) for row in rows()] == [
        (1, 2023, "01"),
        (2, 2023, "01"),
        (3, 2024, "02"),
    ]
    assert not ingest("d", [root], actor="test").created


def test_a_partition_that_is_missing_is_missing(tmp_path):
    for value in ("7", "__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / "t" / f"k={value}").mkdir(parents=True)
        pq.write_table(pa.table({"x": [1]}), tmp_path / "t" / f"k={value}" / "p.parquet")
    ingest("d", [tmp_path / "t"], actor="test")
    assert [row["k"] for row in rows()] == [7, None]


def test_folders_that_can_not_be_taken_whole(tmp_path):
    root = tmp_path / "t"
    root.mkdir()
    with pytest.raises(EmptyFileError, match="holds no file"):
        ingest("d", [root], actor="test")
    pq.write_table(pa.table({"x": [1]}), root / "a.parquet")
    (root / "b.parquet").symlink_to(root / "a.parquet")
    with pytest.raises(UnreadableFileError, match=r"holds a symbolic link, b\.parquet"):
        ingest("d", [root], actor="test")
    (root / "b.parquet").unlink()
    (root / "x=1").mkdir()
    pq.write_table(pa.table({"x": [1]}), root / "x=1" / "a.parquet")
    with pytest.raises(HeaderError):
        ingest("d", [root], actor="test")
    (root / "_delta_log").mkdir()
    with pytest.raises(UnreadableFileError, match="is a Delta table"):
        ingest("d", [root], actor="test")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.list_(pa.int64()), [1]),
        (pa.struct([("y", pa.int64())]), {"y": 1}),
        (pa.map_(pa.string(), pa.int64()), [("k", 1)]),
    ],
)
def test_nested_columns_are_named(tmp_path, kind, value):
    pq.write_table(pa.table({"ok": [1], "deep": pa.array([value], kind)}), tmp_path / "n.parquet")
    with pytest.raises(ColumnsError, match="hold other than single values: deep is"):
        ingest("d", [tmp_path / "n.parquet"], actor="test")


def test_too_many_columns(write, tmp_path):
    names = [f"c{n}" for n in range(10_000)]
    pq.write_table(pa.table({name: [1] for name in names}), tmp_path / "w.parquet")
    for path in (write("w.csv", ",".join(names) + "\n" + ",".join("1" * 10_000) + "\n"), tmp_path / "w.parquet"):
        with pytest.raises(HeaderError, match="1 to 500 columns; got 10000"):
            ingest("d", [path], actor="test")


def test_a_field_of_a_megabyte_is_its_rows_fault(write, tmp_path):
    long = "x" * (1 << 20)
    body = "a,b\n" + "1,ok\n" * 50 + f"2,{long}\n"
    added = ingest("d", [write("d.csv", body)], actor="test")
    assert (added.rows_valid, added.reasons) == (50, {"text_too_long": 1})


def test_a_row_longer_than_any_block(write):
    body = "a,b\n" + "1,ok\n" * 50 + f"2,{'x' * (9 << 20)}\n"
    with pytest.raises(InputTooLargeError, match="the row at byte 254 is longer than 4 MiB"):
        ingest("d", [write("d.csv", body)], actor="test")
    with pytest.raises(InputTooLargeError, match="the line at byte 0 is longer than 4 MiB"):
        ingest("d", [write("d.jsonl", '{"a": "' + "x" * (5 << 20) + '"}\n')], actor="test")


@pytest.mark.parametrize("body", ['a,b\n1,"x\n2,y\n', 'a,b\n1,x\n2,"y', 'a,b\n1,"x" "\n2,z"q,"\n'])
def test_a_quote_that_is_never_closed(write, body):
    with pytest.raises(UnreadableFileError, match=r"the quote opened at byte \d+ is never closed"):
        ingest("d", [write("d.csv", body)], actor="test")


def test_columns_named_like_code_are_names_like_any_other(write, tmp_path):
    names = ['"; drop table features_dataset; --', "<script>alert(1)</script>", "a'b", "${x}", "a b"]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    ingest("d", [write("d.csv", f"{header}\n1,2,3,4,5\n6,7,8,9,0\n")], actor="test")
    ingest("d", [write("e.csv", f"{header}\n1,2,3,4,zebra\n" + "6,7,8,9,0\n" * 50)], actor="test")
    assert list(rows()[0]) == names
    assert Dataset.objects.count() == 1


@pytest.mark.parametrize("sign", ["\x00", "\x00x"])
def test_nul_is_no_text_and_no_number(write, sign):
    body = "a,b\n" + "1,x\n" * 50 + f"2,y{sign}\n3{sign},z\n"
    added = ingest("d", [write("d.csv", body)], actor="test")
    assert added.reasons == {"not_text": 1, "not_integer": 1}


def test_values_at_the_edge_of_what_can_be_held(write, tmp_path):
    good = "1,1.5,2013-01-01T00:00:00Z\n"
    bad = [
        "9223372036854775808,1,2013-01-01T00:00:00Z", "1,inf,2013-01-01T00:00:00Z", "1,-Infinity,2013-01-01T00:00:00Z",
        "1,1e999,2013-01-01T00:00:00Z", "1,1,0000-01-01T00:00:00Z", "1,1,9999-12-31T23:59:59Z", "0x1F,1,2013-01-01",
        "1,1,10000-01-01T00:00:00Z",
    ]  # fmt: skip
    added = ingest("d", [write("d.csv", "i,n,t\n" + good * 200 + "\n".join(bad))], actor="test")
    assert added.reasons == {"not_integer": 2, "not_number": 3, "time_out_of_range": 2, "not_timestamp": 1}


def test_mixed_types_are_each_rows_own_fault(write):
    body = "x\n" + "1\n" * 96 + "one\ntrue\n2013-01-01\n1 2\n"
    added = ingest("d", [write("d.csv", body)], actor="test")
    assert (added.rows_valid, added.reasons) == (96, {"not_integer": 4})
