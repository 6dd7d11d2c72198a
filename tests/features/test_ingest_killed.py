"""An ingestion killed at each of its writes leaves the old version or the new, and a second one completes it."""

from pathlib import Path

import pytest

from features.actions.ingest import ingest
from features.adapters.delta import read_table
from features.models import DatasetVersion
from tests.faults import kill_everywhere

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]


def stored(name: str) -> list[int]:
    version = DatasetVersion.objects.resolve(name)
    return sorted(read_table(name, version.delta_version)["x"].to_pylist())


def test_append_killed_at_each_write_is_whole_or_not_there(write) -> None:
    first, second = write("1.csv", "x\n1\n1\n"), write("2.csv", "x\n2\n2\nbad\n")

    def prepare(n: int) -> dict[str, object]:
        ingest(f"d{n}", [first], actor="test")
        return {"dataset": f"d{n}", "files": [Path(second)], "actor": "test", "max_rejected": 0.5}

    seen = []
    for kill in kill_everywhere("features.actions.ingest.ingest", prepare):
        name = f"d{kill.n}"
        seen.append(kill.at)
        assert stored(name) in ([1, 1], [1, 1, 2, 2]), kill
        ingest(name, [second], actor="test", max_rejected=0.5)
        assert stored(name) == [1, 1, 2, 2], kill
        assert [version.number for version in DatasetVersion.objects.filter(dataset__name=name)] == [2, 1], kill
    assert {"commit of the table", "table committed", "commit", "committed"} <= set(seen)
