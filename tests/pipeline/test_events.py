"""Events: written with the deed, sent to each target once, tried again, given up in the end."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from pydantic import SecretStr, ValidationError

from mlsite.config.schema import EventsConfig
from models_store.actions.outbox import claim_delivery, emit, fan_out, mark_delivered, mark_failed
from models_store.core.backoff import MAX_ATTEMPTS, wait_seconds
from models_store.models import Delivery, OutboxEvent
from pipeline.actions.deliver_events import deliver_events
from pipeline.adapters.webhooks import key_of, signature
from pipeline.core.event_text import event_text
from pipeline.errors import EventDeliveryError
from pipeline.models import Alert

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "a secret of the tests"
SAID = {"model": "flights", "version": 3, "target_stage": "production", "actor": "user:ann", "reason": "<better>"}


class Target:
    """A receiver on loopback that keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.status, self.location = 200, ""
        keeper = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                keeper.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(keeper.status)
                if keeper.location:
                    self.send_header("Location", keeper.location)
                self.end_headers()

            def do_GET(self) -> None:
                keeper.got.append((self.path, {}, b"GET"))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    keeper = Target()
    point_at(monkeypatch, [f"ops={keeper.url}"])
    yield keeper
    keeper.close()


def point_at(monkeypatch: pytest.MonkeyPatch, webhooks: list[str], slack: str = "") -> None:
    events = EventsConfig(webhooks=webhooks, webhook_secret=SecretStr(SECRET), timeout_s=2)
    alerts = settings.CONFIG.alerts.model_copy(update={"slack_webhook": SecretStr(slack)})
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"events": events, "alerts": alerts}))


def happen(kind: str = "promotion.applied", **payload: Any) -> OutboxEvent:
    with transaction.atomic():
        return emit(kind, {**SAID, **payload})


def make_due() -> None:
    Delivery.objects.update(next_at=timezone.now() - timedelta(seconds=1), lease_until=None)


def test_event_is_posted_signed_and_once(target: Target) -> None:
    event = happen()
    assert (deliver_events().delivered, deliver_events().delivered) == (1, 0)
    ((path, headers, body),) = target.got
    assert (path, headers["webhook-id"]) == ("/hook", str(event.event_id))
    signed = f"{event.event_id}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - timezone.now().timestamp()) < 60
    content = json.loads(body)
    assert (content["type"], content["data"]) == ("promotion.applied", SAID)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.target, delivery.attempts) == ("delivered", "webhook:ops", 1)


def test_signature_is_the_one_of_the_standard() -> None:
    # The example that Standard Webhooks' libraries are tested with.
    secret, event = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    said = signature(secret, event, 1614265330, b'{"test": 2432232314}')
    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    with pytest.raises(EventDeliveryError, match="must be base64"):
        key_of("whsec_!")


def test_event_of_a_deed_that_is_taken_back_never_happened(target: Target) -> None:
    with transaction.atomic():
        emit("promotion.applied", SAID)
        transaction.set_rollback(True)
    assert (deliver_events().delivered, target.got) == (0, [])
    with pytest.raises(transaction.TransactionManagementError, match="inside the transaction"):
        emit("promotion.applied", SAID)


def test_refused_event_is_tried_again_later_under_the_same_id(target: Target, caplog) -> None:
    event = happen()
    target.status = 503
    assert deliver_events().failed == 1
    assert deliver_events().failed == 0  # not before its time
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("pending", 1)
    assert delivery.error == "the target did not take the event: HTTPError 503"
    assert delivery.next_at > timezone.now()
    assert target.url not in caplog.text
    target.status = 200
    make_due()
    assert deliver_events().delivered == 1
    assert [headers["webhook-id"] for _, headers, _ in target.got] == [str(event.event_id)] * 2
    assert Delivery.objects.get().error == ""


def test_waits_grow_to_an_hour() -> None:
    assert [wait_seconds(attempt) for attempt in (1, 2, 3, 9, 10, 50)] == [10, 20, 40, 2560, 3600, 3600]


def test_event_nobody_takes_is_given_up_with_an_alert(target: Target) -> None:
    happen()
    target.status = 500
    deliver_events()
    Delivery.objects.update(attempts=MAX_ATTEMPTS - 1)
    make_due()
    assert deliver_events().failed == 1
    assert Delivery.objects.get().state == "dead"
    assert Alert.objects.get().key == "events:webhook:ops"
    make_due()
    assert deliver_events().failed == 0


def test_redirect_is_not_followed(target: Target) -> None:
    other = Target()
    target.status, target.location = 302, other.url
    happen()
    done = deliver_events()
    other.close()
    assert (done.failed, other.got) == (1, [])


def test_each_target_has_its_own_state(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad, slack = Target(), Target(), Target()
    bad.status = 500
    point_at(monkeypatch, [f"good={good.url}", f"bad={bad.url}"], slack=slack.url)
    happen()
    done = deliver_events()
    for keeper in (good, bad, slack):
        keeper.close()
    assert (done.delivered, done.failed) == (2, 1)
    states = dict(Delivery.objects.values_list("target", "state"))
    assert states == {"webhook:good": "delivered", "webhook:bad": "pending", "slack": "delivered"}
    text = json.loads(slack.got[0][2])["text"]
    assert text == "flights@3 is now production, asked by user:ann – &lt;better&gt;"


def test_nothing_is_kept_for_targets_that_come_later(monkeypatch: pytest.MonkeyPatch, target: Target) -> None:
    point_at(monkeypatch, [])
    happen()
    assert deliver_events().delivered == 0
    point_at(monkeypatch, [f"ops={target.url}"])
    assert deliver_events().delivered == 0
    happen()
    assert deliver_events().delivered == 1


def test_target_that_was_taken_out_is_left_alone(monkeypatch: pytest.MonkeyPatch, target: Target) -> None:
    happen()
    fan_out(["webhook:gone"])
    assert deliver_events().delivered == 0
    assert Delivery.objects.get().state == "pending"


def test_many_workers_send_each_event_once(target: Target) -> None:
    for number in range(20):
        happen(version=number)
    gate = threading.Barrier(5)

    def work() -> None:
        gate.wait()
        deliver_events()
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    ids = [headers["webhook-id"] for _, headers, _ in target.got]
    assert (len(ids), len(set(ids))) == (20, 20)
    assert Delivery.objects.filter(state="delivered", attempts=1).count() == 20


def test_of_two_workers_that_saw_the_same_delivery_one_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    happen()
    fan_out(["slack"])
    real, faster = transaction.atomic, []

    def atomic(**options: Any) -> Any:
        # The other worker comes between this one's look at the row and its claim.
        monkeypatch.setattr(transaction, "atomic", real)
        faster.append(claim_delivery(["slack"], lease_seconds=60))
        return real(**options)

    monkeypatch.setattr(transaction, "atomic", atomic)
    assert claim_delivery(["slack"], lease_seconds=60) is None
    assert [claim.attempt for claim in faster if claim] == [1]


def test_delivery_in_another_workers_hands_is_left_alone() -> None:
    happen()
    fan_out(["slack"])
    claim = claim_delivery(["slack"], lease_seconds=60)
    assert claim is not None
    assert claim_delivery(["slack"], lease_seconds=60) is None


def test_worker_whose_lease_ran_out_writes_nothing() -> None:
    happen()
    fan_out(["slack"])
    slow = claim_delivery(["slack"], lease_seconds=60)
    make_due()
    fast = claim_delivery(["slack"], lease_seconds=60)
    assert slow is not None
    assert fast is not None
    assert (slow.attempt, fast.attempt) == (1, 2)
    assert not mark_failed(slow, "late")
    assert not mark_delivered(slow)
    assert mark_delivered(fast)
    assert Delivery.objects.get().state == "delivered"


@pytest.mark.parametrize(
    "webhooks", [["https://x"], ["ops=ftp://x"], ["Ops=https://x"], ["a=https://x", "a=https://y"], ["a=https:// b"]]
)
def test_target_of_another_form_is_refused(webhooks: list[str]) -> None:
    with pytest.raises(ValidationError, match=r"must be NAME=https://"):
        EventsConfig(webhooks=webhooks, webhook_secret=SecretStr(SECRET))


def test_webhooks_without_a_secret_are_refused() -> None:
    with pytest.raises(ValidationError, match="at least 16 characters"):
        EventsConfig(webhooks=["ops=https://example.org/hook"])
    assert EventsConfig().webhooks == []


def test_every_event_has_words() -> None:
    said = event_text("rollback.applied", {**SAID, "request": 7, "waived": {"primary_metric": "x"}})
    assert said == "user:ann rolled back to flights@3 (request 7) – waived: primary_metric – <better>"
    assert event_text("something.else", {}) == "something.else"
