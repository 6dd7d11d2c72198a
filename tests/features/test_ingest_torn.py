"""A process that dies inside the table library's own commit leaves the old version or the new, never a mix.

Torn at a byte: the file that reaches it stays half-written, be it of rows or of the log. Killed at sight of a file:
somewhere between one file of a commit and the next.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from features.actions.compact import compact_tables
from features.actions.ingest import ingest
from features.actions.mend_tables import check_tables, mend_tables
from features.actions.prune import prune
from features.adapters.delta import read_quarantine, read_table
from features.core.schema import ColumnRoles
from features.models import DatasetVersion
from tests.faults import Kill, kill_at_sight, tear_everywhere
from tests.features.test_ingest_killed import forget_datasets, stored

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("var_dir"),
    pytest.mark.timeout(600),  # some dozens of processes each
]

Write = Callable[[str, str], Path]
Prepare = Callable[[int], Mapping[str, Any]]
# A year each, and so a part of the table: its log is then longer than a file of its rows.
OLD = [(f"k{year}", year) for year in range(1990, 2010)]
NEW = [(f"k{year}", year + 1000) for year in range(2000, 2015)]
AFTER = {"append": sorted(OLD + NEW), "replace": NEW, "upsert": sorted({**dict(OLD), **dict(NEW)}.items())}
SIZES = (*range(0, 16_000, 1_300), 10**9)


def torn(inside: str) -> Callable[[str, Prepare], Iterator[Kill]]:
    def die(action: str, prepare: Prepare) -> Iterator[Kill]:
        return tear_everywhere(action, prepare, inside=inside, sizes=SIZES)

    return die


def at_sight(action: str, prepare: Prepare) -> Iterator[Kill]:
    return kill_at_sight(action, prepare, "datasets/d{n}")


def lines(rows: list[tuple[str, int]]) -> str:
    return "at,k,x\n" + "".join(f"{k[1:]}-03-01T00:00:00Z,{k},{x}\n" for k, x in rows)


def half_written(name: str) -> set[str]:
    """Return the kinds of files that have not got their names yet."""
    found = Path(settings.VAR_DIR, "datasets", name).rglob("*#*")
    return {"log" if "_delta_log" in path.parts else "rows" for path in found}


@pytest.mark.parametrize(
    ("die", "mode"),
    [
        *[(torn("commit of the table"), mode) for mode in AFTER],
        *[(at_sight, mode) for mode in AFTER],
        (torn("commit of the quarantine"), "append"),
    ],
)
def test_ingestion_that_dies_inside_a_commit_is_whole_or_not_there(write: Write, die: Any, mode: str) -> None:
    first = write("1.csv", lines(OLD))
    second: dict[str, Any] = {"files": [write("2.csv", lines(NEW) + "never,z,9\n")], "actor": "test"}
    second |= {"max_rejected": 0.5, "mode": mode, "key": ["k"] if mode == "upsert" else []}

    def prepare(n: int) -> Mapping[str, Any]:
        ingest(f"d{n}", [first], actor="test", roles=ColumnRoles(timestamp="at"))
        return {"dataset": f"d{n}", **second}

    left, kills = set[str](), 0
    for kill in die("features.actions.ingest.ingest", prepare):
        name, kills = f"d{kill.n}", kills + 1
        left |= half_written(name)
        assert stored(name) in (OLD, AFTER[mode]), kill
        mend_tables(actor="test")
        assert check_tables().faults == (), kill
        made = ingest(name, **second)
        assert (stored(name), made.version, made.rows_total) == (AFTER[mode], 2, len(AFTER[mode])), kill
        assert len(read_quarantine(name, made.fingerprint)) == 1, kill
        oldest = DatasetVersion.objects.resolve(f"{name}@1")
        assert read_table(name, oldest.delta_version).num_rows == len(OLD), kill
        prune(actor="test")
        assert half_written(name) == set(), kill
        forget_datasets()
    assert kills >= 2
    assert die is at_sight or left


@pytest.mark.parametrize("die", [torn("commit of the compaction"), at_sight])
def test_compaction_that_dies_inside_its_commit_changes_no_row(write: Write, die: Any) -> None:
    paths = [write("1.csv", lines(OLD)), write("2.csv", lines(NEW))]

    def prepare(n: int) -> Mapping[str, Any]:
        for path in paths:
            ingest(f"d{n}", [path], actor="test", roles=ColumnRoles(timestamp="at"))
        return {"dataset": f"d{n}", "actor": "test"}

    for kill in die("features.actions.compact.compact_tables", prepare):
        name = f"d{kill.n}"
        assert stored(name) == sorted(OLD + NEW), kill
        compact_tables(name, actor="test")
        assert (stored(name), check_tables().faults) == (sorted(OLD + NEW), ()), kill
        prune(actor="test")
        assert (stored(name), half_written(name)) == (sorted(OLD + NEW), set()), kill
        forget_datasets()
