"""What is counted later comes to what would have been counted at once."""

import os

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram

from predictions.noted import MOST, NotedCounter, NotedHistogram, count_noted

BUCKETS = (0.1, 0.5, 2.0)


def test_observations_come_to_the_same_buckets() -> None:
    one, other = CollectorRegistry(), CollectorRegistry()
    now = Histogram("seen", "Seen.", registry=one, buckets=BUCKETS)
    later = NotedHistogram(Histogram("seen", "Seen.", registry=other, buckets=BUCKETS))
    values = [0.0, 0.1, 0.100001, 0.3, 0.5, 1.9, 2.0, 2.5, 100.0, 0.05]
    for value in values:
        now.observe(value)
    later.observe(values[0])
    later.observe_all(values[1:])
    count_noted()
    for le in ("0.1", "0.5", "2.0", "+Inf"):
        assert other.get_sample_value("seen_bucket", {"le": le}) == one.get_sample_value("seen_bucket", {"le": le})
    assert abs((other.get_sample_value("seen_sum") or 0) - (one.get_sample_value("seen_sum") or 0)) < 1e-12


def test_amounts_are_there_for_whoever_reads_the_metrics() -> None:
    counter = Counter("noted_amounts", "For a test.")
    noted = NotedCounter(counter)
    noted.inc()
    noted.inc(2)
    assert REGISTRY.get_sample_value("noted_amounts_total") == 3
    REGISTRY.unregister(counter)


def test_no_more_than_so_many_wait() -> None:
    registry = CollectorRegistry()
    noted = NotedCounter(Counter("many", "Many.", registry=registry))
    for _ in range(MOST + 1):
        noted.inc()
    assert registry.get_sample_value("many_total") == MOST + 1


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_counts_nothing_of_its_parent() -> None:
    registry = CollectorRegistry()
    noted = NotedCounter(Counter("forked", "Forked.", registry=registry))
    noted.inc()
    reader, writer = os.pipe()
    if os.fork() == 0:
        noted.count()
        os.write(writer, str(registry.get_sample_value("forked_total")).encode())
        os._exit(0)
    assert os.read(reader, 10) == b"0.0"
    noted.count()
    assert registry.get_sample_value("forked_total") == 1
