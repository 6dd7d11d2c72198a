import pyarrow as pa

from features.core.entity_keys import entity_key
from features.core.fingerprint import table_digest

COLUMNS = [{"name": "a"}]


def digest(values, kind=None):
    table = pa.table({"a": values if isinstance(values, pa.ChunkedArray) else pa.array(values, kind)})
    return table_digest(table, COLUMNS)


def test_chunks_and_null_slots_change_nothing():
    whole = pa.array(["ab", None, "c", ""])
    parts = pa.chunked_array([whole[:1], whole[1:1], whole[1:]])
    assert digest(whole) == digest(parts)
    hidden = pa.Array.from_buffers(pa.int64(), 2, [pa.py_buffer(b"\x01"), pa.array([5, 9]).buffers()[1]])
    assert digest(hidden) == digest([5, None], pa.int64())


def test_values_places_and_columns_change_it():
    names = {digest(["ab", "c"]), digest(["a", "bc"]), digest(["c", "ab"]), digest(["ab", None]), digest(["ab", ""])}
    assert len(names) == 5
    assert table_digest(pa.table({"a": ["ab", "c"]}), [{"name": "a", "role": "target"}]) not in names


def test_every_dtype_has_one():
    for values, kind in (
        ([1.5, None], pa.float64()),
        ([True, None], pa.bool_()),
        ([1, None], pa.timestamp("us", "UTC")),
    ):
        assert digest(values, kind) == digest(list(values), kind) != digest(values[::-1], kind)


def test_keys_of_several_columns_stay_apart():
    assert entity_key(["UA"]) == "UA"
    assert entity_key(["a|b", "c"]) != entity_key(["a", "b|c"])
    assert entity_key(["a", 1]) == "a|1"
