"""The Kafka stream against a real broker: nothing lost, nothing doubled, order kept."""

import json
import os
import random
import signal
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from mlsite.health import check_consumers
from pipeline.adapters.stream_kafka import KafkaSource
from pipeline.errors import BrokerUnavailableError
from predictions.models import Prediction
from tests.pipeline.kafka_topics import Topics, make_topics
from tests.pipeline.served_model import flights, production

pytestmark = [pytest.mark.kafka, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]
POISON: list[bytes | None] = [
    None,
    b"",
    b"nonsense",
    b"\xff\xfe",
    b"[1, 2, 3]",
    b'{"features": [1, 2]}',
    b'{"features": ["x", 1, "AA"]}',
    b'{"features": [NaN, 1, "AA"]}',
    b'{"features": [1e999, 1, "AA"]}',
    b'{"record": {"delay": 1}}',
    b'{"features": [1, 1, "AA"], "key": {"a": 1}}',
    b"[" * 100_000,
]


@pytest.fixture
def topics() -> Topics:
    """Give the test topics of its own at the broker, or skip it where there is none."""
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if not servers:
        pytest.skip("needs a broker at KAFKA_BOOTSTRAP_SERVERS: make test-kafka starts one")
    return make_topics(servers)


def messages(count: int, *, poison_every: int = 10) -> list[bytes | None]:
    """Return messages of which every so-many-th is poisoned."""
    rows = flights(count).to_dict("records")
    return [
        POISON[at % len(POISON)]
        if at % poison_every == poison_every - 1
        else json.dumps({"features": list(row.values())} if at % 2 else {"key": f"k{at}", "record": row}).encode()
        for at, row in enumerate(rows)
    ]


def positions(found: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Return where each answer's message stood."""
    return [(item["source"]["partition"], item["source"]["offset"]) for item in found]


def check(topics: Topics, sent: list[bytes | None], *, poison_every: int = 10) -> None:
    """Hold both topics and the log against what was sent: the same sets, each once, in order."""
    good = {(at % 3, at // 3) for at in range(len(sent)) if at % poison_every != poison_every - 1}
    every = {(at % 3, at // 3) for at in range(len(sent))}
    answers, dead = topics.read("out"), topics.read("dead")
    assert sorted(positions(answers)) == sorted(good)
    assert sorted(positions(dead)) == sorted(every - good)
    assert all(letter["error"] and letter["code"] for letter in dead)
    by_partition: dict[int, list[int]] = defaultdict(list)
    for partition, offset in positions(answers):
        by_partition[partition].append(offset)
    assert all(offsets == sorted(offsets) for offsets in by_partition.values())
    rows = {(row.partition, row.offset): row for row in Prediction.objects.filter(topic=f"{topics.name}-in")}
    assert rows.keys() == good
    for answer, place in zip(answers, positions(answers), strict=True):
        assert answer["prediction_id"] == str(rows[place].pk)
        assert [answer["prediction"]] == rows[place].outputs["predictions"]


def test_good_and_poisoned_messages_each_land_once(topics: Topics, var_dir: Path) -> None:
    production()
    sent = messages(240)
    topics.send(sent)
    process = topics.consumer(var_dir, "--until-idle", "3")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.loads(out) == {"in": 240, "scored": 216, "dead_letters": 24, "committed": 240}
    check(topics, sent)


def test_consumer_killed_again_and_again_loses_and_doubles_nothing(topics: Topics, var_dir: Path) -> None:
    production()
    sent = messages(4000)
    topics.send(sent)
    chance = random.Random(7)
    kills = 0
    for _ in range(4):
        process = topics.consumer(var_dir, "--until-idle", "3")
        assert process.stderr is not None
        if not process.stderr.readline():
            break
        time.sleep(chance.uniform(0, 0.6))
        process.kill()
        process.communicate()
        kills += 1
    assert kills >= 3
    process = topics.consumer(var_dir, "--until-idle", "3")
    _, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    check(topics, sent)


def test_sigterm_finishes_the_poll_and_leaves(topics: Topics, var_dir: Path) -> None:
    production()
    sent = messages(2000)
    topics.send(sent)
    process = topics.consumer(var_dir)
    assert process.stderr is not None
    process.stderr.readline()
    assert " runs" in check_consumers()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert check_consumers().endswith(" has stopped")
    done = json.loads(out)
    assert done["committed"] == len(topics.read("out")) + len(topics.read("dead"))


def test_second_consumer_of_a_slot_fences_the_first(topics: Topics, var_dir: Path) -> None:
    production()
    topics.send(messages(30, poison_every=1000))
    first = topics.consumer(var_dir)
    assert first.stderr is not None
    first.stderr.readline()
    second = topics.consumer(var_dir, "--until-idle", "8")
    deadline = time.monotonic() + 60
    count = 30
    # The first notices at its next commit at the latest, so it must be given something to commit.
    while first.poll() is None and time.monotonic() < deadline:
        topics.send(messages(6, poison_every=1000), start=count)
        count += 6
        time.sleep(0.5)
    assert first.wait(timeout=5) == 75
    assert "slot_taken" in first.communicate()[1]
    _, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    assert len(topics.read("out")) == len(set(positions(topics.read("out")))) == count


def test_no_broker_is_told_clearly(topics: Topics, settings: Any) -> None:
    kafka = settings.CONFIG.streaming.kafka.model_copy(update={"bootstrap_servers": ""})
    streaming = settings.CONFIG.streaming.model_copy(update={"kafka": kafka})
    settings.CONFIG = settings.CONFIG.model_copy(update={"streaming": streaming})
    with pytest.raises(BrokerUnavailableError, match="set KAFKA_BOOTSTRAP_SERVERS"):
        KafkaSource()
