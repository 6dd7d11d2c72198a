"""What the site says of itself."""

import os
import time
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from prometheus_client import REGISTRY
from pydantic import SecretStr

from features.ground.paths import var_path
from mlsite import __version__, health
from mlsite.checkup import CHECKS, examine
from mlsite.health import CheckFailedError, run_check
from predictions import engine, metrics
from predictions.adapters.spool import spool_folder

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_is_loaded() -> None:
    """Forget the models an earlier test of this process has loaded."""
    engine.stop()


def test_welcome_lists_where_to_start(client: Client) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.json()["version"] == __version__
    assert answer.json()["links"]["health"] == "/api/v1/health"


def test_version_is_the_projects() -> None:
    assert f'version = "{__version__}"' in (settings.BASE_DIR / "pyproject.toml").read_text()


def test_live_answers_without_a_model(client: Client) -> None:
    answer = client.get("/api/v1/health/live", headers={"Accept": "application/openmetrics-text"})
    assert (answer.status_code, answer.json()["status"]) == (200, "live")
    assert answer.json()["timestamp"].endswith("Z")


def test_health_without_a_model_is_an_error_with_good_checks(client: Client) -> None:
    body = client.get("/api/v1/health").json()
    assert body["status"] == "error"
    assert body["model"] == {"name": None, "version": None, "loaded_at": None}
    assert {name: check["ok"] for name, check in body["checks"].items()} == dict.fromkeys(health.CHECKS, True)


def test_ready_without_a_model_is_503_with_retry_after(client: Client) -> None:
    answer = client.get("/api/v1/health/ready")
    assert (answer.status_code, answer["Retry-After"], answer.json()["code"]) == (503, "1", "no_model")


def test_other_methods_are_json_405(client: Client) -> None:
    answer = client.post("/api/v1/health/live")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_failing_storage_is_told(client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path / "gone")
    checks = client.get("/api/v1/health").json()["checks"]
    assert (checks["storage"]["ok"], checks["broker"]["ok"], checks["database"]["ok"]) == (False, False, True)
    assert "FileNotFoundError" in checks["storage"]["detail"]


def test_unreachable_broker_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CELERY_BROKER_URL", "redis://:hunter22@127.0.0.1:9/0")
    found = run_check("broker", health.check_broker)
    assert found.ok is False
    assert "hunter22" not in found.detail


def test_forgetful_cache_is_told(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert run_check("cache", health.check_cache).detail == "the cache forgot what was just put into it"


def test_answers_that_wait_on_disk_for_long_are_told(var_dir: Path) -> None:
    assert run_check("spool", health.check_spool).detail == "empty"
    begun = time.time_ns() - 100 * 10**9
    (spool_folder() / f"{begun}-1-x.jsonl").write_bytes(b"x" * 2000)
    found = run_check("spool", health.check_spool)
    assert not found.ok
    assert found.detail.startswith("2,000 of 536,870,912 bytes wait for the database, the oldest for 10")


def test_metrics_are_prometheus_text(client: Client) -> None:
    client.get("/")
    answer = client.get("/api/v1/metrics", headers={"Accept": "text/plain;version=0.0.4"})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    assert 'http_requests_total{method="GET",route="/",status="200"}' in answer.content.decode()


def test_metrics_token_is_required_when_set(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    security = settings.CONFIG.security.model_copy(update={"metrics_token": SecretStr("scrape-me")})
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"security": security}))
    url = "/api/v1/metrics"
    assert client.get(url).status_code == 401
    assert client.get(url, headers={"Authorization": "Bearer wrong"}).json()["error"] == "Invalid token"
    assert client.get(url, headers={"Authorization": "Bearer scrape-me"}).status_code == 200


def test_metrics_of_all_processes_are_collected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert metrics.registry() is REGISTRY
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert metrics.registry() is not REGISTRY


def test_doctor_finds_a_working_installation_well() -> None:
    assert [(check.name, check.ok) for check in examine()] == [(name, True) for name in CHECKS]


@pytest.mark.usefixtures("var_dir")
def test_doctor_and_prune_name_artefacts_of_no_version_and_take_them_away() -> None:
    old, young = "a" * 64, "b" * 64
    for name in (old, young, ".new-x", "README"):
        folder = var_path("artefacts", name)
        folder.mkdir()
        (folder / "model.onnx").write_bytes(b"model")
        if name != young:
            for path in (folder / "model.onnx", folder):
                os.utime(path, (0, 0))
    detail = run_check("artefacts", CHECKS["artefacts"]).detail
    assert detail.startswith("2 that no version names")
    assert "run `doctor --mend`" in detail
    call_command("prune", "--dry-run", stdout=(said := StringIO()))
    assert [line.split()[2] for line in said.getvalue().splitlines() if line.startswith("artefact")] == [".new-x", old]
    with suppress(CommandError):
        # What else this installation lacks is nothing to this test.
        call_command("doctor", "--mend", stdout=StringIO())
    assert sorted(path.name for path in var_path("artefacts", "x").parent.iterdir()) == ["README", young]
    assert run_check("artefacts", CHECKS["artefacts"]).ok


def test_doctor_names_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(
        "django==1.0 \\\n    --hash=x\nno-such-package==2.0\ncelery==9.9 ; python_version < '3'\n"
    )
    monkeypatch.setattr(settings, "BASE_DIR", tmp_path)
    text = run_check("versions", CHECKS["versions"]).detail
    assert "django 1.0 is pinned" in text
    assert "no-such-package 2.0 is missing" in text
    assert "celery" not in text


def test_doctor_names_a_migration_that_is_not_applied() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, app, name, applied FROM django_migrations WHERE app = 'pipeline'")
        rows = cursor.fetchall()
        cursor.execute("DELETE FROM django_migrations WHERE app = 'pipeline'")
    try:
        with pytest.raises(CheckFailedError, match=r"first pipeline\.0001_initial: run `manage.py migrate`"):
            CHECKS["migrations"]()
    finally:
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO django_migrations (id, app, name, applied) VALUES (%s, %s, %s, %s)", rows)
