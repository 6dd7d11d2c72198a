import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.core.packed import PackedFormatError, pack, unpack

ANY_DOUBLE = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KINDS = {pa.int64(): INT64, pa.float64(): ANY_DOUBLE, pa.bool_(): st.booleans(), pa.string(): TEXT}


def bits(value):
    return struct.pack("<d", value) if isinstance(value, float) else value


@st.composite
def tables(draw):
    rows = draw(st.integers(1, 5))
    kinds = draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=20))
    lists = [draw(st.lists(st.none() | KINDS[kind], min_size=rows, max_size=rows)) for kind in kinds]
    arrays = [pa.array(values, kind) for values, kind in zip(lists, kinds, strict=True)]
    table = pa.table(arrays, names=[f"f{place}" for place in range(len(kinds))])
    return table, draw(st.lists(INT64, min_size=rows, max_size=rows))


# No assertion on time: a loaded machine makes the examples slowly.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables())
def test_every_row_comes_back_to_the_bit(made):
    table, events = made
    packed = pack(table, pa.chunked_array([pa.array(events, pa.int64())]))
    for place, blob in enumerate(packed):
        event_us, values = unpack(blob)
        assert event_us == events[place]
        assert [bits(value) for value in values] == [bits(column[place].as_py()) for column in table.columns]


def test_missing_nan_and_the_zeros_are_four_things():
    column = pa.array(np.array([0.0, -0.0, np.nan, 1.0]), mask=np.array([False, False, False, True]))
    packed = pack(pa.table({"x": column}), pa.chunked_array([pa.array([0] * 4, pa.int64())]))
    assert len(set(packed)) == 4
    values = [unpack(blob)[1][0] for blob in packed]
    assert values[3] is None
    assert struct.pack("<d", values[1]) == struct.pack("<d", -0.0)
    assert values[2] != values[2]


def test_what_a_missing_slot_happens_to_hold_does_not_matter():
    masked = pa.array(np.array([7.0]), mask=np.array([True]))
    null = pa.array([None], pa.float64())
    event = pa.chunked_array([pa.array([1], pa.int64())])
    assert pack(pa.table({"x": masked}), event) == pack(pa.table({"x": null}), event)


def test_another_format_is_refused():
    with pytest.raises(PackedFormatError, match="of format 1 are known; got 9"):
        unpack(b"\x09\x00\x00" + bytes(9))
