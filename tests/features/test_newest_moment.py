"""The moment from which all rows count, found in few files where the table's log tells which."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.actions.apply_feature_view import apply_feature_view
from features.actions.ingest import ingest
from features.adapters.touched import newest_moment
from features.core.schema import ColumnRoles
from features.models import DatasetVersion

pytestmark = pytest.mark.django_db(transaction=True)
START = datetime(2024, 1, 1, tzinfo=UTC)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)
VIEW = {
    "name": "v", "dataset": "d", "entity": "e",
    "features": [{"name": "n", "function": "count", "window": "1d"}],
}  # fmt: skip
# Rows as entity and day, file by file; each year of a file has a part of its own. Below a millisecond the log says
# nothing of a part's end.
FRACTION = 0.999e-3 / 86_400
CASES = {
    "in the newest part": ([[(1, 0), (1, 400), (1, 800), (1, 800 + FRACTION)]], 800 + FRACTION),
    "in the newest part, not its newest row": ([[(1, 0), (1, 400), (1, 800), (None, 800 + FRACTION)]], 800),
    "in another part": ([[(1, 0), (1, 400), (None, 800)]], 400),
    "in another file": ([[(1, 740), (None, 800)], [(1, 790)]], 790),
}


@pytest.mark.parametrize("known", [None, "known"])
@pytest.mark.parametrize(("files", "newest"), CASES.values(), ids=CASES)
def test_it_is_just_after_the_newest_row_that_has_a_key(transactional_db, var_dir, tmp_path, known, files, newest):
    times = pa.timestamp("us", tz="UTC")
    for number, rows in enumerate(files):
        at = pa.array([START + day * DAY for _, day in rows], times)
        columns = {"at": at, "known": at, "e": pa.array([entity for entity, _ in rows], pa.int64())}
        pq.write_table(pa.table(columns), tmp_path / f"{number}.parquet")
        ingest("d", [tmp_path / f"{number}.parquet"], actor="test", roles=ColumnRoles(timestamp="at", known_at=known))
    view = apply_feature_view(VIEW, actor="test").definition()
    version = DatasetVersion.objects.resolve("d")
    assert newest_moment(view, version, START + 900 * DAY) == START + newest * DAY + TICK
    assert newest_moment(view, version, START + DAY) == START + DAY
