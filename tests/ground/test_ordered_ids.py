"""Ids follow their time, and are never given twice."""

import os
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from features.ground.ordered_ids import made_at, ordered_id


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


def test_an_id_tells_when_it_was_made_and_one_of_another_kind_does_not() -> None:
    before = datetime.now(UTC)
    made = made_at(ordered_id())
    assert made is not None
    assert before - timedelta(milliseconds=1) <= made <= datetime.now(UTC)
    assert made_at(uuid4()) is None
