"""Alerts: opened once, delivered once."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from pydantic import SecretStr

from pipeline.actions.alerts import close_alert, deliver_alerts, raise_alert
from pipeline.adapters import slack
from pipeline.adapters.clock import from_now
from pipeline.errors import AlertDeliveryError
from pipeline.models import Alert

pytestmark = pytest.mark.django_db(transaction=True)


class Slack:
    """A webhook on loopback that keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.status = 200
        keeper = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                keeper.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(keeper.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/secret"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    keeper = Slack()
    point_at(monkeypatch, keeper.url)
    yield keeper
    keeper.close()


def point_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    alerts = settings.CONFIG.alerts.model_copy(update={"slack_webhook": SecretStr(url), "timeout_s": 2.0})
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"alerts": alerts}))


def test_same_key_counts_on_the_open_alert() -> None:
    first = raise_alert("drift:m", "m drifted", detail="one")
    again = raise_alert("drift:m", "m drifted", detail="two")
    assert (again.pk, again.times, again.detail) == (first.pk, 2, "two")
    assert (again.severity, again.state) == ("warning", "open")


def test_closed_alert_is_opened_anew() -> None:
    first = raise_alert("k", "t")
    assert close_alert("k") is True
    assert close_alert("k") is False
    assert raise_alert("k", "t").pk != first.pk


def test_one_alert_is_opened_by_many_at_once() -> None:
    barrier = threading.Barrier(6)

    def call() -> None:
        barrier.wait()
        raise_alert("k", "t")
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Alert.objects.get().times == 6


def test_alert_is_posted_once_and_marked(webhook: Slack) -> None:
    raise_alert("k", "train <run> & more failed", detail="see @channel <!here>", severity="critical")
    assert (deliver_alerts(), deliver_alerts()) == (1, 0)
    assert webhook.got == [
        {"text": ":rotating_light: *train &lt;run&gt; &amp; more failed*\nsee @channel &lt;!here&gt;"}
    ]
    assert Alert.objects.get().delivered_at is not None


def test_raising_again_does_not_post_again(webhook: Slack) -> None:
    raise_alert("k", "t")
    deliver_alerts()
    raise_alert("k", "t")
    assert deliver_alerts() == 0
    assert len(webhook.got) == 1


def test_refused_alert_is_tried_again_after_its_lease(webhook: Slack, caplog: pytest.LogCaptureFixture) -> None:
    raise_alert("k", "t")
    webhook.status = 500
    assert deliver_alerts() == 0
    assert "secret" not in caplog.text
    webhook.status = 200
    assert deliver_alerts() == 0
    Alert.objects.update(delivery_lease_until=from_now(-1))
    assert deliver_alerts() == 1
    assert Alert.objects.get().delivered_at is not None


def test_nothing_is_sent_or_marked_without_a_webhook() -> None:
    raise_alert("k", "t")
    assert deliver_alerts() == 0
    assert Alert.objects.get().delivered_at is None


def test_closed_and_old_alerts_are_not_sent(webhook: Slack) -> None:
    raise_alert("closed", "t")
    close_alert("closed")
    raise_alert("old", "t")
    Alert.objects.filter(key="old").update(created_at=from_now(-2 * 86_400))
    assert deliver_alerts() == 0
    assert webhook.got == []


def test_alert_another_worker_is_sending_is_left_alone(webhook: Slack) -> None:
    raise_alert("k", "t")
    Alert.objects.update(delivery_lease_until=from_now(30))
    assert deliver_alerts() == 0
    assert webhook.got == []


def test_webhook_of_another_scheme_is_refused() -> None:
    with pytest.raises(AlertDeliveryError, match="must be an http"):
        slack.post("file:///etc/passwd", "t", timeout_s=1)


def test_unreachable_webhook_is_an_error_without_its_address() -> None:
    with pytest.raises(AlertDeliveryError) as caught:
        slack.post("http://127.0.0.1:9/secret", "t", timeout_s=1)
    assert "secret" not in str(caught.value)
