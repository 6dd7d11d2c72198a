"""The fast way through a CSV file, in blocks and on several cores, against one plain pass over all of it."""

import csv
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from features.adapters import csv_blocks, csv_files
from features.adapters.csv_blocks import Dialect
from features.adapters.csv_files import CsvRows, csv_file
from features.core.checks import RowChecker
from features.core.coerce import Target
from features.core.infer import ColumnGuess
from features.core.schema import Column
from features.errors import UnreadableFileError

FIELDS = st.sampled_from(
    ["1", "0", "-7", "+3", "007", "2.5", "1e3", ".5", "1e999", "nan", "NA", "", " 1", "0x1F", "99999999999999999999",
     "true", "No", "2013-01-01", "2013-01-01T10:00:00Z", "2013-03-10 02:30", "2013-11-03T01:30:00", "2013-02-30",
     "0000-01-01", "9999-12-31", "a", "ä€", "x y", "\x00", '"q"', '"a,b"', '"a\nb"', '"a\r\nb"', '"a""b"', '""',
     'a"b', '"a"b', '"', "'", "é" * 30]
)  # fmt: skip
LINES = st.lists(st.lists(FIELDS, min_size=1, max_size=4).map(",".join), max_size=40)
ENDS = st.sampled_from(["\n", "\r\n"])
COLUMNS = (
    Column(name="a", dtype="integer", min=0),
    Column(name="b", dtype="number", nullable=False),
    Column(name="c", dtype="timestamp"),
)
MISSING = ("", "NA")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.csv"


def plainly(body: bytes):
    """Return what one pass on one thread over the whole text says: rows, their numbers, malformed ones."""
    bad = []

    def note(row):
        bad.append((row.number, row.text))
        return "skip"

    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(body),
            read_options=pyarrow.csv.ReadOptions(use_threads=False, column_names=["a", "b", "c"], block_size=1 << 20),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys("abc", pa.string()), strings_can_be_null=True, null_values=list(MISSING)
            ),
        )
    except pa.ArrowInvalid:
        table = pa.table({name: pa.array([], pa.string()) for name in "abc"})
    numbers = [n for n in range(1, len(table) + len(bad) + 1) if n not in dict(bad)]
    return table.to_pylist(), numbers, bad


def assert_read_twice_alike(path: Path, rows, kept: int) -> None:
    """What the first reading kept is what a reading that knew the types would give, however much was kept."""
    before = csv_files.KEPT_BYTES
    csv_files.KEPT_BYTES = kept
    try:
        source = CsvRows(csv_file(path, "abc", MISSING, Dialect(), header=False, label="x.csv"))
        list(source.chunks(None, before=0))
        guess = source.guess
        second, third = (list(source.chunks(guess, before=0)) for _ in range(2))
        for one, other in zip(second, third, strict=True):
            assert one.table == other.table
            assert (one.rows.tolist(), one.malformed) == (other.rows.tolist(), other.malformed)
        assert [row for chunk in second for row in chunk.as_they_came().to_pylist()] == rows
    finally:
        csv_files.KEPT_BYTES = before


def chunked(path: Path, body: bytes, target: Target | None):
    path.write_bytes(body)
    file = csv_file(path, "abc", MISSING, Dialect(), header=False, label="x.csv")
    return list(CsvRows(file).chunks(target, before=0))


def closed(body: bytes) -> bool:
    """Tell whether a file's last quote is closed: another line put behind it stays a line."""
    *_, bad = plainly(body + b"\nend,end,end,end\n")
    return bool(bad) and bad[-1][1] == "end,end,end,end"


def judged(chunks, zone: str):
    """Return all faults, by the number of the row, and all valid rows."""
    checker, faults, valid = RowChecker(COLUMNS, zone=zone), [], []
    for chunk in chunks:
        checked = checker.check(chunk.table)
        faults += [(int(chunk.rows[f.row]), f.column, f.rule, f.value) for f in checked.faults]
        faults += [(row.row, "", row.rule, row.text) for row in chunk.malformed]
        valid += checked.table.filter(pa.array(checked.valid)).to_pylist()
    return sorted(faults), valid


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=LINES,
    end=ENDS,
    blank=st.booleans(),
    size=st.integers(24, 160),
    zone=st.sampled_from(["", "America/New_York"]),
    kept=st.sampled_from([1, 2000, 10**6]),
)
@example(lines=["1,1,2013-01-01"], end="\n", blank=False, size=24, zone="America/New_York", kept=1)
def test_blocks_say_what_one_pass_says(path, lines, end, blank, size, zone, kept):
    # The first row is whole, so that the number of names is right.
    body = end.join(["1,2,3", *lines, *([""] if blank else [])]).encode()
    before = csv_blocks.BLOCK_BYTES
    csv_blocks.BLOCK_BYTES = size
    try:
        if not closed(body):
            with pytest.raises(UnreadableFileError, match="never closed"):
                chunked(path, body, None)
            return
        rows, numbers, bad = plainly(body)
        chunks = chunked(path, body, None)
        assert [row for chunk in chunks for row in chunk.table.to_pylist()] == rows
        assert np.concatenate([chunk.rows for chunk in chunks]).tolist() == numbers
        assert [(row.row, row.text) for chunk in chunks for row in chunk.malformed] == bad
        target = Target(dtypes={column.name: column.dtype for column in COLUMNS}, zone=zone)
        typed = chunked(path, body, target)
        assert judged(typed, zone) == judged(chunks, zone)
        assert [row for chunk in typed for row in chunk.as_they_came().to_pylist()] == rows
        assert_read_twice_alike(path, rows, kept)
    finally:
        csv_blocks.BLOCK_BYTES = before


@settings(max_examples=60, deadline=None)
@given(values=st.lists(FIELDS.filter(lambda text: '"' not in text), min_size=1, max_size=200))
def test_short_ways_count_what_one_value_at_a_time_counts(values):
    whole = ColumnGuess("x")
    for value in values:
        # One at a time nothing is known of the others, so that no short way is taken.
        whole_one = ColumnGuess("x")
        whole_one.update(pa.array([value]))
        for dtype, count in whole_one.misfits.items():
            whole.misfits[dtype] += count
    guess = ColumnGuess("x")
    guess.update(pa.array(values))
    assert guess.misfits == whole.misfits


def test_the_header_is_what_a_plain_reader_says(path):
    head = 'a,"b ""x""\n,y",c\r\n'
    path.write_bytes(head.encode() + b"1,2,3\r\n")
    file = csv_file(path, (), MISSING, Dialect(), header=True, label="x.csv")
    assert list(file.names) == next(csv.reader(io.StringIO(head, newline="")))
    assert [chunk.table.num_rows for chunk in CsvRows(file).chunks(None, before=0)] == [1]
