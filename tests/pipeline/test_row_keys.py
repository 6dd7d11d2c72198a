import pyarrow as pa

from pipeline.core.row_keys import row_keys

EVENTS = [
    {"name": "tail", "dtype": "string", "role": "entity"},
    {"name": "at", "dtype": "timestamp", "role": "timestamp"},
    {"name": "delay", "dtype": "number", "role": "feature"},
    {"name": "late", "dtype": "boolean", "role": "target"},
]
PLAIN = [
    {"name": "a", "dtype": "integer", "role": "feature"},
    {"name": "b", "dtype": "string", "role": "feature"},
    {"name": "y", "dtype": "number", "role": "target"},
]


KEPT = [1541308529759968975, 7993772951866933804]


def events(order: list[int], *, unit: str = "us", extra: bool = False) -> tuple[pa.Table, list[dict[str, str]]]:
    columns = {
        "tail": pa.array([f"N{number}" for number in order]),
        "at": pa.array([number * 3_600_000 for number in order], pa.timestamp("ms", "UTC")).cast(
            pa.timestamp(unit, "UTC")
        ),
        "delay": pa.array([float(number) for number in order]),
        "late": pa.array([number % 2 == 0 for number in order]),
    }
    more = [{"name": "wind", "dtype": "number", "role": "feature"}] if extra else []
    return pa.table(columns | ({"wind": pa.array([1.0] * len(order))} if extra else {})), [*EVENTS, *more]


def test_row_has_its_key_wherever_it_stands_and_whatever_features_it_has():
    keys = row_keys(*events([1, 2, 3]), "late")
    assert len(set(keys.tolist())) == 3
    assert (row_keys(*events([9, 3, 2, 1], unit="ns", extra=True), "late")[::-1][:3] == keys).all()


def test_row_with_another_target_has_another_key():
    table, columns = events([1, 2, 3])
    turned = table.set_column(3, "late", pa.array([True, True, True]))
    assert (row_keys(turned, columns, "late") == row_keys(table, columns, "late")).tolist() == [False, True, False]


def test_equal_rows_are_numbered():
    once, twice = row_keys(*events([1, 2]), "late"), row_keys(*events([1, 1, 2]), "late")
    assert len(set(twice.tolist())) == 3
    assert set(once.tolist()) < set(twice.tolist())


def test_row_without_entity_and_time_is_named_by_its_content():
    whole = pa.table({"a": [1, 2], "b": ["x", None], "y": [0.0, 1.0]})
    gap = pa.table({"a": [1, None, 2], "b": ["x", "x", None], "y": [-0.0, 0.5, 1.0]})
    keys, others = row_keys(whole, PLAIN, "y"), row_keys(gap, PLAIN, "y")
    assert (others[[0, 2]] == keys).all()
    assert len(set(others.tolist())) == 3
    changed = row_keys(pa.table({"a": [1, 2], "b": ["x", ""], "y": [0.0, 1.0]}), PLAIN, "y")
    assert (changed == keys).tolist() == [True, False]


def test_keys_are_the_same_in_every_process():
    """A key that is kept on disk must not hang on a seed, or on the version of a library."""
    assert row_keys(*events([1, 2]), "late").tolist() == KEPT
