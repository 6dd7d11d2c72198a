"""The full drift report: a hostile page, served where it can do nothing."""

import gzip

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from models_store.models import ModelVersion
from pipeline.models import DriftReport


def page(report: DriftReport) -> str:
    """Return the address of the report itself."""
    return reverse("admin:pipeline_driftreport_html", args=[report.pk])


def test_report_is_served_under_its_own_policy(console: Client) -> None:
    report = DriftReport.objects.latest("id")
    answer = console.get(page(report))
    policy = answer["Content-Security-Policy"]
    assert answer.status_code == 200
    assert "sandbox allow-scripts" in policy
    assert "default-src 'none'" in policy
    assert "allow-same-origin" not in policy
    assert "'self'" not in policy.replace("frame-ancestors 'self'", "")
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Encoding"] == "gzip"
    assert gzip.decompress(b"".join(answer.streaming_content)) == b"<h1>Report</h1>"


def test_console_frames_the_report_without_its_origin(console: Client) -> None:
    report = DriftReport.objects.latest("id")
    text = console.get(reverse("admin:pipeline_driftreport_change", args=[report.pk])).content.decode()
    assert f'src="{page(report)}"' in text
    assert 'sandbox="allow-scripts"' in text


@pytest.mark.parametrize("path", ["", "reports/gone.html.gz", "../../etc/passwd", "/etc/passwd"])
def test_report_whose_file_is_not_there_answers_404(console: Client, path: str) -> None:
    report = DriftReport.objects.latest("id")
    DriftReport.objects.filter(pk=report.pk).update(html_path=path)
    assert console.get(page(report)).status_code == 404
    shown = console.get(reverse("admin:pipeline_driftreport_change", args=[report.pk])).content.decode()
    assert "file is gone" in shown


def test_report_is_for_people_who_may_see_it(console_site: dict[int, ModelVersion], client: Client, db: None) -> None:
    report = DriftReport.objects.latest("id")
    assert client.get(page(report))["Location"].startswith("/admin/login/")
    client.force_login(User.objects.create_user("eve", is_staff=True))
    assert client.get(page(report)).status_code == 403


def test_only_the_console_may_evaluate_expressions(console: Client) -> None:
    inside = console.get(reverse("admin:index"))["Content-Security-Policy"]
    outside = console.get("/nothing-here")["Content-Security-Policy"]
    assert "'unsafe-eval'" in inside
    assert "'unsafe-eval'" not in outside
    script = next(part for part in inside.split("; ") if part.startswith("script-src"))
    assert sorted(script.split()[1:]) == ["'self'", "'unsafe-eval'"]
