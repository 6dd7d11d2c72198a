"""Whatever writes to a table, killed at each write, leaves the old version or the new; a second run completes it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from features.actions.compact import compact_tables
from features.actions.ingest import ingest
from features.actions.mend_tables import check_tables, mend_tables
from features.actions.prune import prune
from features.adapters.delta import read_quarantine, read_table
from features.core.schema import ColumnRoles
from features.models import ContractVersion, Dataset, DatasetVersion
from tests.faults import kill_everywhere

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("var_dir"),
    pytest.mark.timeout(600),  # some dozens of processes each
]

Write = Callable[[str, str], Path]
HEADER = "at,k,x\n"
OLD = [("a", 1), ("b", 2), ("c", 3)]
# What comes: a new value of b, a new key, and a row that is refused.
NEW = [("b", 20), ("d", 4)]
AFTER = {"append": sorted(OLD + NEW), "replace": NEW, "upsert": [("a", 1), ("b", 20), ("c", 3), ("d", 4)]}
SEEN = {"commit of the table", "table committed", "commit of the quarantine", "commit", "committed"}


def lines(rows: list[tuple[str, int]]) -> str:
    # Two years, so that the table has two parts.
    return "".join(f"{2011 + x % 2}-03-01T00:00:00Z,{k},{x}\n" for k, x in rows)


def stored(name: str) -> list[tuple[str, int]]:
    table = read_table(name, DatasetVersion.objects.resolve(name).delta_version)
    return sorted(zip(table["k"].to_pylist(), table["x"].to_pylist(), strict=True))


def forget_datasets() -> None:
    """Or what looks at every table would have one more to go through after each kill."""
    DatasetVersion.objects.all().delete()
    ContractVersion.objects.all().delete()
    Dataset.objects.all().delete()


@pytest.mark.parametrize(
    ("mode", "how"), [("append", "again"), ("replace", "again"), ("upsert", "again"), ("append", "mend")]
)
def test_ingestion_killed_at_each_write_is_whole_or_not_there(write: Write, mode: str, how: str) -> None:
    first = write("1.csv", HEADER + lines(OLD))
    second: dict[str, Any] = {"files": [write("2.csv", HEADER + lines(NEW) + "never,z,9\n")], "actor": "test"}
    second |= {"max_rejected": 0.5, "mode": mode, "key": ["k"] if mode == "upsert" else []}

    def prepare(n: int) -> Mapping[str, Any]:
        ingest(f"d{n}", [first], actor="test", roles=ColumnRoles(timestamp="at"))
        return {"dataset": f"d{n}", **second}

    seen, states = set(), []
    for kill in kill_everywhere("features.actions.ingest.ingest", prepare):
        name = f"d{kill.n}"
        seen.add(kill.at)
        states.append(stored(name))
        if how == "mend":
            mend_tables(actor="test")
            assert check_tables().faults == (), kill
            assert stored(name) == states[-1], kill
        made = ingest(name, actor=second["actor"], **{key: second[key] for key in second if key != "actor"})
        assert stored(name) == AFTER[mode], kill
        assert (made.version, made.rows_total) == (2, len(AFTER[mode])), kill
        assert len(read_quarantine(name, made.fingerprint)) == 1, kill
        oldest = DatasetVersion.objects.resolve(f"{name}@1")
        assert read_table(name, oldest.delta_version).num_rows == len(OLD), kill
        forget_datasets()
    assert seen >= SEEN
    assert {tuple(state) for state in states} == {tuple(OLD), tuple(AFTER[mode])}


def test_first_ingestion_killed_at_each_write_is_whole_or_not_there(write: Write) -> None:
    path = write("1.csv", HEADER + lines(OLD))
    how = {"files": [path], "actor": "test", "roles": ColumnRoles(timestamp="at")}
    for kill in kill_everywhere("features.actions.ingest.ingest", lambda n: {"dataset": f"d{n}", **how}):
        name = f"d{kill.n}"
        assert not Dataset.objects.filter(name=name).exists() or stored(name) == OLD, kill
        ingest(name, **how)
        assert stored(name) == OLD, kill
        assert DatasetVersion.objects.get(dataset__name=name).rows_total == 3, kill


def test_compaction_killed_at_each_write_changes_no_row(write: Write) -> None:
    paths = [write(f"{x}.csv", HEADER + lines([(k, x)])) for k, x in OLD]

    def prepare(n: int) -> Mapping[str, Any]:
        for path in paths:
            ingest(f"d{n}", [path], actor="test", roles=ColumnRoles(timestamp="at"))
        return {"dataset": f"d{n}", "actor": "test"}

    for kill in kill_everywhere("features.actions.compact.compact_tables", prepare):
        name = f"d{kill.n}"
        assert stored(name) == OLD, kill
        compact_tables(name, actor="test")
        assert (stored(name), check_tables().faults) == (OLD, ()), kill
        assert ingest(name, [write("4.csv", HEADER + lines([("d", 4)]))], actor="test").rows_total == 4, kill
        assert stored(name) == [*OLD, ("d", 4)], kill
        assert check_tables().faults == (), kill
        forget_datasets()


def test_pruning_killed_at_each_write_takes_only_what_it_says(write: Write) -> None:
    first, second = write("1.csv", HEADER + lines(OLD)), write("2.csv", HEADER + lines(NEW))

    def prepare(n: int) -> Mapping[str, Any]:
        for path in (first, second):
            ingest(f"d{n}", [path], actor="test", mode="replace")
        Dataset.objects.filter(name=f"d{n}").update(keep_days=1)
        DatasetVersion.objects.filter(dataset__name=f"d{n}").update(created_at="2020-01-01T00:00:00Z")
        return {"actor": "test"}

    for kill in kill_everywhere("features.actions.prune.prune", prepare):
        name = f"d{kill.n}"
        assert stored(name) == NEW, kill
        old = DatasetVersion.objects.resolve(f"{name}@1")
        assert old.pruned_at is not None or read_table(name, old.delta_version).num_rows == 3, kill
        prune(actor="test")
        assert prune(actor="test").removed == (), kill
        assert stored(name) == NEW, kill
        forget_datasets()
