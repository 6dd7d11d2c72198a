"""Each kind of bad input: one clear error, nothing written, what was there stays."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.actions.ingest import ingest, ingest_synthetic
from features.adapters.delta import read_table
from features.adapters.reading import ReadOptions
from features.errors import (
    ColumnsError,
    EmptyFileError,
    FileMissingError,
    HeaderError,
    SchemaError,
    TooManyRejectedError,
    UnknownDatasetError,
    UnreadableFileError,
)
from features.ground.errors import DomainError
from features.models import Dataset, DatasetVersion
from tests.features.conftest import FLIGHTS

pytestmark = pytest.mark.django_db(transaction=True)
HEADER = FLIGHTS.splitlines()[0]
ROW = FLIGHTS.splitlines()[1]


def files_of(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and ".lock" not in path.name
    )


def refused(kind: type[DomainError], flights, var_dir: Path, path: Path, **options) -> str:
    """Ingest into the known dataset and into a new one; return the text for the known one."""
    before = files_of(var_dir / "datasets")
    with pytest.raises(kind) as known:
        ingest("flights", [path], actor="test", **options)
    assert files_of(var_dir / "datasets") == before
    assert list((var_dir / "staging").iterdir()) == []
    assert DatasetVersion.objects.count() == Dataset.objects.count() == 1
    assert read_table("flights", DatasetVersion.objects.get().delta_version).num_rows == 5
    assert len(known.value.message) <= 600
    return known.value.message


def test_unknown_file(flights, var_dir, tmp_path):
    assert "no such file" in refused(FileMissingError, flights, var_dir, tmp_path / "none.csv")


def test_no_file(flights):
    with pytest.raises(FileMissingError, match="name at least one file"):
        ingest("flights", [], actor="test")


def test_unknown_ending(flights, var_dir, write):
    assert "name its format with --format" in refused(UnreadableFileError, flights, var_dir, write("a.xls", FLIGHTS))


@pytest.mark.parametrize(("sign", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_wrong_delimiter(flights, var_dir, write, sign, word):
    text = refused(HeaderError, flights, var_dir, write("a.csv", FLIGHTS.replace(",", sign)))
    assert "must be separated by commas" in text
    assert word in text


def test_wrong_delimiter_without_a_header(flights, var_dir, write):
    read = ReadOptions(columns=tuple(HEADER.split(",")), header=False)
    assert "semicolons" in refused(HeaderError, flights, var_dir, write("a.csv", ROW.replace(",", ";")), read=read)


def test_empty_file(flights, var_dir, write):
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        assert "is empty" in refused(EmptyFileError, flights, var_dir, write(name, ""))


def test_header_only(flights, var_dir, write):
    for body in (HEADER, f"{HEADER}\n"):
        assert "holds no row below its header" in refused(EmptyFileError, flights, var_dir, write("a.csv", body))


def test_header_only_in_a_new_dataset(var_dir, write):
    with pytest.raises(EmptyFileError, match="holds no row"):
        ingest("new", [write("a.csv", "a,b\n")], actor="test")
    assert not Dataset.objects.exists()


def test_blank_first_line(flights, var_dir, write):
    assert "holds no row" in refused(EmptyFileError, flights, var_dir, write("a.csv", "\n\n"))


def test_a_column_gone(flights, var_dir, write):
    body = FLIGHTS.replace(",delay", "").replace(",20,", ",").replace(",-3,", ",")
    text = refused(ColumnsError, flights, var_dir, write("a.csv", body))
    assert "missing: delay" in text


def test_a_column_nobody_asked_for(flights, var_dir, write):
    assert "not in the schema: x" in refused(ColumnsError, flights, var_dir, write("a.csv", f"{HEADER},x\n{ROW},1\n"))


def test_a_column_of_another_type(flights, var_dir, write):
    rows = "".join(f"{ROW.replace(',20,', ',late,')}\n" for _ in range(20))
    text = refused(TooManyRejectedError, flights, var_dir, write("a.csv", f"{HEADER}\n{rows}"))
    assert "20 of 20 rows" in text
    assert "delay not_integer (20)" in text


def test_a_parquet_column_of_another_type(flights, var_dir, tmp_path):
    names = HEADER.split(",")
    pq.write_table(pa.table({name: ["1"] for name in names}), tmp_path / "a.parquet")
    text = refused(ColumnsError, flights, var_dir, tmp_path / "a.parquet")
    assert "delay must be integer and is string" in text


def test_all_rows_rejected_even_where_any_share_may_be(flights, var_dir, write):
    body = f"{HEADER}\n{ROW.replace('UA', '')}\n"
    text = refused(TooManyRejectedError, flights, var_dir, write("a.csv", body), max_rejected=1.0)
    assert "no row is valid" in text
    assert "carrier missing_value (1)" in text


def test_more_faulty_rows_than_the_policy_allows(flights, var_dir, write):
    body = f"{HEADER}\n" + f"{ROW}\n" * 8 + f"{ROW.replace('UA', '')}\n" * 2
    text = refused(TooManyRejectedError, flights, var_dir, write("a.csv", body))
    assert "2 of 10 rows" in text
    assert "at most 10.00% may be" in text


def test_a_share_beyond_one(flights, var_dir, write):
    assert "a share from 0 to 1" in refused(
        SchemaError, flights, var_dir, write("a.csv", f"{HEADER}\n{ROW}\n"), max_rejected=3
    )


def test_repeated_column_names(flights, var_dir, write):
    body = FLIGHTS.replace("tail", "carrier")
    assert "repeated: ['carrier']" in refused(HeaderError, flights, var_dir, write("a.csv", body))


def test_control_characters_in_a_column_name(flights, var_dir, write):
    assert "printable" in refused(HeaderError, flights, var_dir, write("a.csv", FLIGHTS.replace("tail", "ta\x00il")))


def test_not_utf_8(flights, var_dir, write):
    body = FLIGHTS.replace("N2", "Zürich").encode("latin-1")
    text = refused(UnreadableFileError, flights, var_dir, write("a.csv", body))
    assert f"not UTF-8: byte {body.index(0xFC)}" in text


def test_half_a_character_at_the_end(flights, var_dir, write):
    assert "not UTF-8" in refused(UnreadableFileError, flights, var_dir, write("a.csv", FLIGHTS.encode() + b"\xc3"))


def test_truncated_parquet(flights, var_dir, tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": list(range(1000))}), path)
    path.write_bytes(path.read_bytes()[:-200])
    assert "not a whole Parquet file" in refused(UnreadableFileError, flights, var_dir, path)


def test_damaged_parquet_pages(flights, var_dir, tmp_path):
    path = tmp_path / "a.parquet"
    names = HEADER.split(",")
    pq.write_table(pa.table({name: [f"{name}{place}" for place in range(5000)] for name in names}), path)
    body = bytearray(path.read_bytes())
    body[4:40_000] = bytes(39_996)
    path.write_bytes(body)
    assert "can't be read as parquet" in refused(UnreadableFileError, flights, var_dir, path)


def test_files_with_other_columns_than_the_first(flights, var_dir, write):
    paths = [write("a.csv", FLIGHTS), write("b.csv", "x\n1\n")]
    with pytest.raises(ColumnsError, match=r"b\.csv has other columns than a\.csv"):
        ingest("flights", paths, actor="test")


def test_no_header_and_no_names(flights, var_dir, write):
    read = ReadOptions(header=False)
    assert "--columns a,b" in refused(HeaderError, flights, var_dir, write("a.csv", ROW), read=read)


def test_another_number_of_names_than_columns(flights, var_dir, write):
    read = ReadOptions(header=False, columns=("a", "b"))
    assert "6 columns in its first row; 2 were named" in refused(
        HeaderError, flights, var_dir, write("a.csv", ROW), read=read
    )


def test_a_name_that_would_leave_the_folder(write):
    with pytest.raises(SchemaError, match="1 to 100 letters, digits"):
        ingest("../x", [write("a.csv", FLIGHTS)], actor="test")


def test_text_as_time(var_dir, write):
    from features.core.schema import ColumnRoles

    with pytest.raises(SchemaError, match="must hold times \\(ISO 8601\\); it holds string"):
        ingest("d", [write("a.csv", "a\nx\n")], actor="test", roles=ColumnRoles(timestamp="a"))


def test_synthetic_rows_of_an_unknown_dataset(var_dir):
    with pytest.raises(UnknownDatasetError, match="no dataset is named 'none'"):
        ingest_synthetic("none", 10, seed=0, actor="test")


def test_a_header_that_names_other_columns_than_the_rows_have(var_dir, write):
    with pytest.raises(HeaderError, match="names 2 columns in its header, and none of its 2 rows has as many fields"):
        ingest("d", [write("a.csv", "569,30\n1,2,3\n4,5,6\n")], actor="test")
    assert not Dataset.objects.exists()


def test_json_lines_without_an_object(var_dir, write):
    with pytest.raises(HeaderError, match="a dataset has 1 to 500 columns; got 0"):
        ingest("d", [write("a.jsonl", "[1]\n[2]\n")], actor="test")
