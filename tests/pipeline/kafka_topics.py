"""Topics of a real broker, and the consumer as a process of its own."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

PARTITIONS = 3


@dataclass(frozen=True, kw_only=True)
class Topics:
    """Three topics and a group that no other test uses."""

    servers: str
    name: str

    @property
    def env(self) -> dict[str, str]:
        """Return the variables that point a process at them."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.servers,
            "STREAMING__KAFKA__INPUT_TOPIC": f"{self.name}-in",
            "STREAMING__KAFKA__OUTPUT_TOPIC": f"{self.name}-out",
            "STREAMING__KAFKA__DEAD_LETTER_TOPIC": f"{self.name}-dead",
            "STREAMING__KAFKA__GROUP_ID": self.name,
            "STREAMING__KAFKA__POLL_RECORDS": "50",
        }

    def send(self, values: Sequence[bytes | None], *, start: int = 0) -> None:
        """Write messages, in turn to each partition."""
        producer = KafkaProducer(bootstrap_servers=self.servers)
        futures = [
            producer.send(f"{self.name}-in", value=value, key=b"%d" % at, partition=at % PARTITIONS)
            for at, value in enumerate(values, start)
        ]
        producer.flush()
        assert all(future.succeeded() for future in futures)
        producer.close()

    def read(self, which: str) -> list[dict[str, Any]]:
        """Return every committed message of the out or dead topic, each partition in order."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.servers, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        places = [TopicPartition(f"{self.name}-{which}", number) for number in range(PARTITIONS)]
        consumer.assign(places)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(places)
        found: list[Any] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(timeout_ms=500).values():
                found += records
        consumer.close()
        return [json.loads(record.value) for record in found]

    def consumer(self, var_dir: Path, *options: str) -> "subprocess.Popen[str]":
        """Start `consume --source kafka` on the test's database."""
        env = os.environ | self.env | {"VAR_DIR": str(var_dir), "DJANGO_SETTINGS_MODULE": "mlsite.settings"}
        env["DATABASE_URL"] = f"sqlite:///{connection.settings_dict['NAME']}"
        return subprocess.Popen(
            [sys.executable, "manage.py", "consume", "--source", "kafka", "--model", "late", "--json", *options],
            cwd=settings.BASE_DIR,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def make_topics(servers: str) -> Topics:
    """Make fresh topics at a broker."""
    topics = Topics(servers=servers, name=f"test-{uuid.uuid4().hex[:10]}")
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.create_topics(
        [
            NewTopic(name=f"{topics.name}-{which}", num_partitions=PARTITIONS, replication_factor=1)
            for which in ("in", "out", "dead")
        ]
    )
    admin.close()
    return topics
