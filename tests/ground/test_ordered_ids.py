"""Ids follow their time, and are never given twice."""

import os
import time

import pytest

from features.ground.ordered_ids import ordered_id


def test_ids_are_of_version_7_and_begin_with_their_time() -> None:
    before = time.time_ns() // 1_000_000
    made = [ordered_id() for _ in range(1000)]
    after = time.time_ns() // 1_000_000
    assert {(one.version, one.variant) for one in made} == {(7, "specified in RFC 4122")}
    assert all(before <= one.int >> 80 <= after for one in made)
    assert len(set(made)) == 1000


def test_later_ids_stand_later() -> None:
    first = ordered_id()
    time.sleep(0.002)
    assert ordered_id() > first


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_gives_others() -> None:
    ordered_id()
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, b"".join(ordered_id().bytes for _ in range(20)))
        os._exit(0)
    theirs = os.read(reader, 320)
    random_parts = {theirs[start + 8 : start + 16] for start in range(0, 320, 16)}
    assert random_parts.isdisjoint({ordered_id().bytes[8:] for _ in range(300)})
