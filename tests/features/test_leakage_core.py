"""Each kind of leakage, planted, is found; columns that are merely good, or alike by chance, are not."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.metrics import roc_auc_score

from features.core.leakage import Acceptance, Finding, as_findings, judged
from features.core.leakage_copies import copies_across_split, events_across_lots
from features.core.leakage_target import _told_by_order, spearman, target_copies
from features.core.leakage_time import known_later, outcomes_before_known
from features.core.windows import parse_view
from features.errors import AcceptanceError, LeakageFoundError
from tests.pipeline.training_data import table_of

ROWS = 2000


@pytest.fixture
def draw():
    return np.random.default_rng(7)


def copies(data, target="target", **roles):
    table, columns = table_of(data, **{target: "target"}, **roles)
    return [finding.name for finding in target_copies(table, columns, target)]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("number", lambda y, draw: y + draw.normal(0, 0.01, len(y))),
        ("reversed", lambda y, draw: -3.0 * y),
        ("missing where no", lambda y, draw: np.where(y, draw.normal(0, 1, len(y)), np.nan)),
        ("a ring", lambda y, draw: draw.choice([-1, 1], len(y)) * (y + draw.uniform(0.1, 0.4, len(y)))),
        ("boolean", lambda y, draw: y.astype(bool)),
        ("text", lambda y, draw: np.where(y, "late", "on time").astype(object)),
        ("many texts", lambda y, draw: np.array([f"{label}-{draw.integers(9)}" for label in y], dtype=object)),
    ],
)
def test_a_copy_of_a_yes_or_no_is_found_in_any_disguise(draw, kind, values):
    y = (draw.random(ROWS) < 0.2).astype(int)
    honest = y + draw.normal(0, 0.6, ROWS)
    for target in (y, y.astype(bool), np.where(y, "yes", "no").astype(object)):
        data = {"honest": honest, "copy": values(y, draw), "target": target}
        assert copies(data) == ["target_copy:copy"], kind


def test_a_copy_of_one_of_many_labels_is_found(draw):
    y = draw.integers(0, 4, ROWS)
    names = np.array(["north", "east", "south", "west"], dtype=object)[y]
    data = {"coded": (y * 7) % 4, "spread": y + draw.uniform(0, 0.9, ROWS), "half": y // 2, "target": names}
    assert copies(data) == ["target_copy:coded", "target_copy:spread"]


def test_a_copy_of_a_quantity_is_found(draw):
    y = np.exp(draw.normal(0, 2, ROWS))
    by_level = np.array([f"{value:.6f}" for value in y], dtype=object)
    data = {
        "cents": y * 100 + draw.normal(0, 1e-3, ROWS), "log": np.log(y), "minus": -y,
        "noisy": y * np.exp(draw.normal(0, 0.3, ROWS)), "target": y,
    }  # fmt: skip
    assert copies(data) == ["target_copy:cents", "target_copy:log", "target_copy:minus"]
    assert copies({"level": np.repeat(by_level[:50], 40), "target": np.repeat(y[:50], 40)}) == ["target_copy:level"]


def test_ids_few_rows_rare_classes_and_other_roles_are_no_copies(draw):
    y = draw.integers(0, 2, ROWS)
    ids = np.array([f"id{place}" for place in range(ROWS)], dtype=object)
    assert copies({"id": ids, "number": np.arange(ROWS) * 1.0, "one": np.ones(ROWS), "target": y}) == []
    assert copies({"x": y[:99], "target": y[:99]}) == []
    rare = np.zeros(ROWS, int)
    rare[:9] = 1
    assert copies({"x": rare, "target": rare}) == []
    assert copies({"x": y, "target": y}, x="ignore") == []
    assert copies({"x": y, "target": np.full(ROWS, np.nan)}) == []
    at = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(y, unit="h")
    assert copies({"x": at.as_unit("us"), "target": y}) == []


def test_the_area_under_the_curve_is_exact(draw):
    y = draw.random(500) < 0.3
    values = np.round(y + draw.normal(0, 1, 500), 1)
    assert _told_by_order(values, y) == pytest.approx(roc_auc_score(y, values), abs=1e-12)
    some = np.where(draw.random(500) < 0.1, np.nan, values)
    either = (roc_auc_score(y, np.nan_to_num(some, nan=edge)) for edge in (-99, 99))
    assert _told_by_order(some, y) == pytest.approx(max(either), abs=1e-12)
    assert spearman(values, y.astype(float)) == pytest.approx(pd.Series(values).corr(pd.Series(y), "spearman"))


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine, load_iris, load_diabetes])
def test_the_sets_of_scikit_learn_raise_no_alarm(load):
    frame = load(as_frame=True).frame
    table, columns = table_of(dict(frame.items()), target="target")
    assert target_copies(table, columns, "target") == []
    assert copies_across_split(table, columns, target="target") == []


def flights(draw, **data):
    """Return flights of which some have not landed, and the times they happened and became known."""
    at = np.datetime64("2013-01-01", "us") + np.arange(ROWS) * np.timedelta64(3_600_000_000, "us")
    minutes = draw.exponential(100, ROWS).round()
    known = (at + minutes.astype(int) * np.timedelta64(60_000_000, "us")).astype("datetime64[us]")
    lost = draw.random(ROWS) < 0.05
    known[lost] = np.datetime64("NaT")
    data = {"distance": draw.normal(900, 300, ROWS), "delay": np.where(lost, np.nan, draw.normal(0, 9, ROWS)), **data}
    times = {"at": pa.array(at, pa.timestamp("us", "UTC")), "known": pa.array(known, pa.timestamp("us", "UTC"))}
    table, columns = table_of(data)
    return table, columns, times, lost, minutes


def test_a_value_that_comes_with_the_outcome_is_found(draw):
    table, columns, times, lost, minutes = flights(draw)
    tail = np.where(lost & (draw.random(ROWS) < 0.3), None, "N1")
    for name, values in {
        "tail": pa.array(tail), "took": pa.array(minutes), "known_by": times["known"],
        "weekday": pa.array(np.arange(ROWS) % 7),
    }.items():  # fmt: skip
        table = table.append_column(name, values)
        dtype = {"tail": "string", "known_by": "timestamp", "weekday": "integer"}.get(name, "number")
        columns.append({"name": name, "dtype": dtype, "role": "feature"})
    rows = table.append_column("at", times["at"]).append_column("known", times["known"])
    found = known_later(rows, columns, timestamp="at", known_at="known")
    assert [finding.name for finding in found] == ["known_later:delay", "known_later:took"]
    assert found[0].evidence["score"] == pytest.approx(1.0)
    ignored = [{**column, "role": "ignore"} for column in columns]
    assert known_later(rows, ignored, timestamp="at", known_at="known") == []


def test_where_every_row_is_known_only_the_lag_gives_away(draw):
    table, columns, times, _, _ = flights(draw)
    known = pa.array(np.array(times["at"]) + np.timedelta64(1, "h"), pa.timestamp("us", "UTC"))
    rows = table.append_column("at", times["at"]).append_column("known", known)
    assert known_later(rows, columns, timestamp="at", known_at="known") == []


def test_a_view_that_counts_outcomes_before_they_are_known_is_found():
    late = {"name": "late", "column": "late", "function": "share", "window": "7d"}
    view = parse_view({"name": "v", "dataset": "f", "entity": "tail", "features": [late]})
    other = parse_view(
        {"name": "w", "dataset": "f", "entity": "tail", "features": [{**late, "function": "count", "column": ""}]}
    )
    assert [f.name for f in outcomes_before_known([view, other], target="late")] == ["target_without_known_at:v"]


def duplicated(draw, rows, again, **more):
    data = {"x": draw.normal(size=rows), "kind": draw.integers(0, 3, rows), "target": draw.integers(0, 2, rows), **more}
    frame = pd.DataFrame(data)
    return pd.concat([frame, frame.iloc[:again]], ignore_index=True)


def test_copies_on_both_sides_of_a_split_by_lot_are_counted(draw):
    table, columns = table_of(dict(duplicated(draw, ROWS, ROWS // 2).items()), target="target")
    found = copies_across_split(table, columns, target="target")
    assert [(f.name, f.severity) for f in found] == [("duplicates_across_split", "stop")]
    # Each of 2,000 rows that have a copy is tested with chance 0.2, its copy learnt from with chance 0.8.
    assert found[0].evidence["copies"] == pytest.approx(2000 * 0.2 * 0.8, abs=1)
    assert found[0].evidence["test_rows"] == 600


def test_copies_on_both_sides_of_a_split_by_time_are_counted(draw):
    frame = duplicated(draw, ROWS, 100)
    at = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.arange(len(frame)), unit="h")
    table, columns = table_of({**dict(frame.items()), "at": at.as_unit("us")}, target="target", at="timestamp")
    found = copies_across_split(table, columns, target="target", timestamp="at")
    assert (found[0].severity, found[0].evidence) == (
        "stop",
        {"copies": 100, "test_rows": 420, "limit": 0.01, "split": "time"},
    )
    few = table.slice(0, ROWS + 3)
    assert [f.severity for f in copies_across_split(few, columns, target="target", timestamp="at")] == ["note"]
    # The same moment: both copies are on one side.
    same = table.set_column(table.column_names.index("at"), "at", pa.array([at[0]] * len(frame), table["at"].type))
    assert copies_across_split(same, columns, target="target", timestamp="at") == []


def test_rows_of_one_entity_at_one_time_are_told_where_the_test_is_drawn_by_lot(draw):
    # Every row twice, a day's measurements that differ: no copies, and yet the same event on both sides.
    at = np.repeat(pd.date_range("2013-01-01", periods=ROWS // 2, freq="h", tz="UTC").as_unit("us"), 2)
    data = {"e": draw.integers(0, 3, ROWS // 2).repeat(2), "at": at, "x": draw.normal(size=ROWS)}
    table, columns = table_of(data, e="entity", at="timestamp")
    (found,) = events_across_lots(table, columns)
    assert (found.name, found.severity) == ("same_event_across_split", "stop")
    assert found.evidence["copies"] == pytest.approx(ROWS * 0.2 * 0.8, abs=1)
    assert copies_across_split(table, columns, target="", timestamp="at") == []
    other = table.set_column(table.column_names.index("e"), "e", pa.array(np.arange(ROWS)))
    assert events_across_lots(other, columns) == []
    table, columns = table_of(data, e="entity", at="feature")
    assert events_across_lots(table, columns) == []


def test_rows_that_are_alike_by_chance_are_no_copies(draw):
    route = draw.integers(0, 200, ROWS)
    schedule = {"distance": route * 7.0, "hour": draw.integers(5, 23, ROWS), "target": draw.integers(0, 2, ROWS)}
    table, columns = table_of(schedule, target="target")
    assert copies_across_split(table, columns, target="target") == []
    amounts = {"amount": np.arange(ROWS) % 1000, "kind": draw.integers(0, 2, ROWS), "target": draw.integers(0, 2, ROWS)}
    table, columns = table_of(amounts, target="target")
    assert copies_across_split(table, columns, target="target") == []
    routes = {"origin": (route % 3).astype(str).astype(object), "distance": route * 7.0}
    table, columns = table_of({**routes, "target": route % 2}, target="target")
    assert copies_across_split(table, columns, target="target") == []
    table, columns = table_of({"x": np.repeat(draw.normal(size=ROWS), 2), "target": [0, 0] * ROWS}, target="target")
    assert copies_across_split(table, columns, target="target") == []


def finding(name="target_copy:x", severity="stop"):
    return Finding(name=name, severity=severity, text="text", evidence={"score": 1.0})


def test_a_finding_stops_until_it_is_accepted_by_its_name():
    found = [finding(), finding("known_later:y"), finding("duplicates_across_split", "note")]
    for names in ((), ("target_copy:x",), ("target_copy",), ("known_later:y", "other")):
        with pytest.raises(LeakageFoundError, match=r"--accept \S+.* --reason") as refused:
            judged(found, Acceptance(names=names, reason="because", actor="ann"))
        left = [one["name"] for one in refused.value.fields["findings"]]
        assert left == [one.name for one in found[:2] if one.name not in names]
    kept = judged(found, Acceptance(names=("target_copy:x", "known_later:y"), reason=" because ", actor="ann"))
    assert [(one["accepted"], one.get("reason"), one.get("by")) for one in kept] == [
        (True, "because", "ann"), (True, "because", "ann"), (False, None, None),
    ]  # fmt: skip
    assert as_findings(kept) == found


@pytest.mark.parametrize(("names", "reason"), [(("x",), " "), ((), "because"), (("x",), "a\nb"), (("x",), "a" * 501)])
def test_names_and_reason_go_together(names, reason):
    with pytest.raises(AcceptanceError, match="takes its name and a reason"):
        Acceptance(names=names, reason=reason, actor="ann").checked()


def test_fifty_findings_are_one_bounded_text():
    with pytest.raises(LeakageFoundError) as refused:
        judged([finding(f"target_copy:{place}") for place in range(50)], Acceptance())
    assert len(refused.value.message) <= 600
    assert len(refused.value.fields["findings"]) == 50
