"""The front page: what serves, how busy it is, and what needs a person."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mlsite.console import traffic
from models_store.models import ModelVersion
from predictions import metrics
from predictions.models import Prediction


def panels(client: Client) -> dict[str, Any]:
    """Return the dashboard's panels by title."""
    return {panel.title: panel for panel in client.get(reverse("admin:index")).context["panels"]}


def test_dashboard_shows_what_serves(console: Client) -> None:
    (row,) = panels(console)["Models"].rows
    text = " ".join(map(str, row))
    assert "late-arrivals" in text
    assert "@1" in text
    assert "@2" in text
    assert "10 %" in text
    assert "drift" in text


def test_dashboard_counts_the_last_day(console: Client) -> None:
    shown = panels(console)
    figures = {name: value for name, value, *_ in shown["Last 24 hours"].figures}
    assert figures["Predictions"] == "670"
    assert figures["Failed runs"] == 1
    assert figures["Open alerts"] == 1
    assert figures["Waiting approvals"] == 1
    assert sum(shown["Predictions by hour"].series["predictions"]) == 670


def test_dashboard_shows_failing_runs_first(console: Client) -> None:
    first = " ".join(map(str, panels(console)["Runs"].rows[0]))
    assert "failed" in first
    assert "unknown_file" in first


def test_dashboard_asks_a_fixed_number_of_questions(console: Client, django_assert_max_num_queries: Any) -> None:
    # Two for each of the 24 hours, and a few for each panel: none for each prediction.
    with django_assert_max_num_queries(95):
        console.get(reverse("admin:index"))


def test_shadow_answers_are_not_counted_as_requests(console_site: dict[int, ModelVersion], db: None) -> None:
    now = timezone.now()
    Prediction.objects.create(
        request_id="r",
        model_version=console_site[3],
        role="shadow",
        principal="user:ada",
        inputs=[[1]],
        outputs={"predictions": [1]},
        latency_ms=9000,
        at=now,
    )
    assert traffic.answered(now - timedelta(minutes=1), now + timedelta(minutes=1)).filter(request_id="r").count() == 0


def test_dashboard_shows_traffic_latency_and_age_of_each_serving_version(console: Client) -> None:
    (row,) = panels(console)["Models"].rows
    assert "600 production" in str(row[4])
    assert "70 canary" in str(row[4])
    assert "ms canary" in str(row[5])
    assert "just now" in str(row[1])


def test_dashboard_counts_the_answers_that_were_our_fault(console: Client) -> None:
    before = traffic.api_answers()
    metrics.observe_request("POST", "api/v1/predict", 200, 0.01)
    metrics.observe_request("POST", "api/v1/predict", 503, 0.01)
    metrics.observe_request("GET", "admin/pipeline/run/", 500, 0.01)
    assert traffic.api_answers() == (before[0] + 2, before[1] + 1)
    rate = next(figure for figure in panels(console)["Last 24 hours"].figures if figure[0] == "Error rate")
    assert "answers were 5xx since the start" in rate[2]


def test_dashboard_says_what_changed_today(console: Client) -> None:
    shown = panels(console)["What changed today"]
    assert {str(row[1]) for row in shown.rows} <= {"user:ada", "cli:root"}
    assert any(row[4] == "Try the trees." for row in shown.rows)


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 3.0), (0.95, 5.0), (1.0, 5.0)])
def test_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert traffic.percentile([5.0, 1.0, 3.0, 2.0, 4.0], share) == value


def test_percentile_of_nothing_is_none() -> None:
    assert traffic.percentile([], 0.5) is None
