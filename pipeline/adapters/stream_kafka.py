"""Kafka as a stream: answers, dead letters and offsets in one transaction."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from django.conf import settings
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import FencedInstanceIdError, InvalidProducerEpochError, KafkaError, ProducerFencedError
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from pipeline.core.streaming import Answer, Message
from pipeline.errors import BrokerUnavailableError, SlotTakenError, StreamInterruptedError

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
POLL_MS = 500
FLUSH_S = 10.0
# The client waits for the end of a transaction without limit; a dead broker would hold the process for ever.
COMMIT_PATIENCE_S = 30.0
EXIT_HUNG = 3
_FENCED = (ProducerFencedError, InvalidProducerEpochError, FencedInstanceIdError)
# A batch must fail before its transaction does, and a request before its batch.
_PRODUCER = {
    "enable_idempotence": True,
    "acks": "all",
    "request_timeout_ms": 5_000,
    "delivery_timeout_ms": 10_000,
    "transaction_timeout_ms": 30_000,
    "max_block_ms": 15_000,
    "batch_size": 128 << 10,
    "linger_ms": 5,
}
_CONSUMER = {
    # Also keeps the offsets fetched after a rebalance stable, whatever the input holds.
    "isolation_level": "read_committed",
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "session_timeout_ms": 10_000,
    "heartbeat_interval_ms": 3_000,
    "allow_auto_create_topics": False,
}


class KafkaSource:
    """One slot of a consumer group with the transactional producer that belongs to it.

    Raises
    ------
    BrokerUnavailableError
        If no broker is set up or none answers.
    SlotTakenError
        If another process has taken the slot: this one must end.
    StreamInterruptedError
        If a poll or commit failed and nothing of it counts; `recover` goes back to what was committed.
    """

    def __init__(self) -> None:
        self._config = settings.CONFIG.streaming.kafka
        if not self._config.bootstrap_servers:
            raise BrokerUnavailableError("no Kafka broker is set up: set KAFKA_BOOTSTRAP_SERVERS=host:port")
        self._group: ConsumerGroupMetadata | None = None
        self._producer: Any = None
        self._consumer = self._connect(self._new_consumer)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave; a transaction left open is aborted by the broker or by whoever takes the slot next."""
        self._drop_producer()
        with suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=5_000)

    @property
    def name(self) -> str:
        """Return the group and the slot."""
        return f"{self._config.group_id}.{self._config.slot}"

    def lag(self) -> int | None:
        """Return how far the partitions at hand are ahead of what was polled, as of the last fetch of each."""
        consumer = self._consumer
        try:
            ends = [(consumer.highwater(part), consumer.position(part, 1000)) for part in consumer.assignment()]
        except KafkaError:
            return None
        if not ends or any(end is None or at is None for end, at in ends):
            return None
        return int(sum(max(0, end - at) for end, at in ends))

    @property
    def ready(self) -> bool:
        """Tell whether the group has let this consumer in."""
        return bool(self._consumer.group_metadata().generation_id > 0)

    def poll(self, limit: int) -> list[Message]:
        """Return up to `limit` messages, none after half a second without any."""
        with self._guarded():
            polled = self._consumer.poll(timeout_ms=POLL_MS, max_records=limit)
            # Taken now, so that the broker refuses these offsets if the group has moved on meanwhile.
            self._group = self._consumer.group_metadata()
        if polled and self._group.generation_id <= 0:
            raise StreamInterruptedError("the group let go of this consumer while it polled")
        return [_message(record) for records in polled.values() for record in records]

    def drain(self) -> list[Message]:
        """Return nothing: a topic holds whole messages."""
        return []

    def commit(self, answers: Sequence[Answer]) -> None:
        """Send the answers and move the offsets behind their messages, in one transaction."""
        if not answers:
            return
        with self._guarded(), _watchdog():
            self._producer.begin_transaction()
            futures = [self._send(answer) for answer in answers]
            self._producer.flush(FLUSH_S)
            _check_sent(futures)
            self._producer.send_offsets_to_transaction(_offsets(answers), self._group)
            self._producer.commit_transaction()

    def recover(self) -> None:
        """Abort what is open with a new producer, and go back to the committed offsets."""
        self._drop_producer()
        self._begin()
        with self._guarded():
            for partition in self._consumer.assignment():
                committed = self._consumer.committed(partition, timeout_ms=10_000)
                if committed is None:
                    self._consumer.seek_to_beginning(partition)
                else:
                    self._consumer.seek(partition, committed)

    def _begin(self) -> None:
        self._producer = self._connect(self._new_producer)
        with self._guarded():
            self._producer.init_transactions()

    def _send(self, answer: Answer) -> Any:
        topic = self._config.dead_letter_topic if answer.dead else self._config.output_topic
        # One partition's answers stay in one partition, so that they keep its order.
        partition = answer.message.partition % len(self._producer.partitions_for(topic))
        return self._producer.send(topic, value=answer.body, key=answer.message.key, partition=partition)

    def _new_consumer(self) -> Any:
        return KafkaConsumer(
            self._config.input_topic,
            bootstrap_servers=self._config.bootstrap_servers.split(","),
            group_id=self._config.group_id,
            group_instance_id=self.name,
            max_poll_records=self._config.poll_records,
            **_CONSUMER,
        )

    def _new_producer(self) -> Any:
        return KafkaProducer(
            bootstrap_servers=self._config.bootstrap_servers.split(","),
            transactional_id=f"mlsite.{self.name}",
            allow_auto_create_topics=False,
            **_PRODUCER,
        )

    def _connect(self, build: Callable[[], Result]) -> Result:
        try:
            return build()
        except KafkaError as error:
            raise BrokerUnavailableError(
                f"no Kafka broker answers at {self._config.bootstrap_servers}: {type(error).__name__}"
            ) from error

    def _drop_producer(self) -> None:
        if self._producer is not None:
            with suppress(KafkaError):
                self._producer.close(timeout=1)
            self._producer = None

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except _FENCED as error:
            raise SlotTakenError(
                f"another consumer has taken slot {self._config.slot} of group {self._config.group_id}; "
                "give each its own STREAMING__KAFKA__SLOT",
                slot=self._config.slot,
            ) from error
        except KafkaError as error:
            raise StreamInterruptedError(f"{type(error).__name__}: {error}") from error


def _message(record: Any) -> Message:
    return Message(
        topic=record.topic, partition=record.partition, offset=record.offset, value=record.value, key=record.key
    )


def _offsets(answers: Sequence[Answer]) -> dict[Any, Any]:
    last: dict[Any, int] = {}
    for message in (answer.message for answer in answers):
        place = TopicPartition(message.topic, message.partition)
        last[place] = max(last.get(place, -1), message.offset)
    return {place: OffsetAndMetadata(offset + 1, "", -1) for place, offset in last.items()}


def _check_sent(futures: Sequence[Any]) -> None:
    """Refuse to go on if a record did not arrive: the client commits happily without one that timed out."""
    lost = [future for future in futures if not future.succeeded()]
    for future in lost:
        # To begin again would fence the one that has fenced us.
        if isinstance(future.exception, _FENCED):
            raise future.exception
    if lost:
        raise StreamInterruptedError(f"{len(lost)} of {len(futures)} records did not reach the broker")


@contextmanager
def _watchdog() -> Iterator[None]:
    """End the process if the block does not: the next start aborts the transaction and goes on from there."""
    timer = threading.Timer(COMMIT_PATIENCE_S, _end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end() -> None:
    print(f"a Kafka transaction did not end in {COMMIT_PATIENCE_S:g} s: leaving", file=sys.stderr, flush=True)
    os._exit(EXIT_HUNG)
