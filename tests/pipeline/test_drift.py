"""Drift reports: what is compared, what is stored, what is refused."""

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from django.core.management import call_command
from django.utils import timezone

from features.actions.ingest import ingest
from features.actions.take_snapshot import take_snapshot
from models_store.models import ModelVersion
from pipeline.actions.drift import report_drift
from pipeline.adapters.evidently_report import measure_drift
from pipeline.core.drift import compare, drift_method
from pipeline.errors import (
    EmptyWindowError,
    InvalidMonitoringError,
    NoTrainingSnapshotError,
    UnknownFileError,
    UnreadableTableError,
)
from pipeline.models import Alert, DriftReport, Run
from predictions.models import Prediction
from tests.pipeline.served_model import flights, production

pytestmark = pytest.mark.django_db(transaction=True)
Serve = Callable[..., None]


@pytest.fixture
def version(var_dir: Path, tmp_path: Path) -> ModelVersion:
    """Give a production version with a training snapshot of 2000 flights."""
    frame = flights(2000, seed=1)
    frame["late"] = (frame["delay"] > 15).map({True: "late", False: "on time"})
    frame.to_csv(tmp_path / "training.csv", index=False)
    ingest("flights", [tmp_path / "training.csv"], actor="cli:test")
    snapshot = take_snapshot("training", dataset="flights", actor="cli:test")
    return production(snapshot_id=snapshot.pk)


def serve(version: ModelVersion, frame: pd.DataFrame, **fields: Any) -> None:
    """Log a prediction of all rows of a frame."""
    asked = {"role": "production", "at": timezone.now()} | fields
    Prediction.objects.create(
        request_id="r",
        model_version=version,
        principal="user:test",
        columns=list(frame.columns),
        inputs=frame.astype(object).where(frame.notna(), None).to_numpy().tolist(),
        outputs={"predictions": ["late"] * len(frame)},
        rows=len(frame),
        latency_ms=1.0,
        **asked,
    )


def test_moved_column_is_found_and_alerted(version: ModelVersion, var_dir: Path) -> None:
    serve(version, flights(600, seed=2, shift=60))
    row = report_drift("late", actor="cli:test")
    assert row.columns["delay"]["drifted"]
    assert row.columns["delay"]["score"] > 0.2
    assert not row.columns["distance"]["drifted"]
    assert not row.columns["carrier"]["drifted"]
    assert row.dataset_drift
    assert (row.rows_reference, row.rows_current) == (2000, 600)
    assert row.method == "psi"
    alert = Alert.objects.get()
    assert alert.key == "drift:late"
    assert "delay" in alert.detail


def test_same_values_are_no_drift_and_raise_no_alert(version: ModelVersion) -> None:
    serve(version, flights(1000, seed=3))
    row = report_drift("late", actor="cli:test")
    assert not row.dataset_drift
    assert row.drift_share == 0
    assert not Alert.objects.exists()


def test_report_is_stored_gzipped_beside_its_numbers(version: ModelVersion, var_dir: Path) -> None:
    serve(version, flights(300, seed=2))
    row = report_drift("late", actor="cli:test")
    page = var_dir / row.html_path
    assert page.name == "drift.html.gz"
    assert b"<html" in gzip.decompress(page.read_bytes())
    assert json.loads((page.parent / "drift.json").read_text())["metrics"]


def test_shadow_answers_and_older_ones_are_left_out(version: ModelVersion) -> None:
    serve(version, flights(300, seed=2))
    serve(version, flights(300, seed=2, shift=200), role="shadow")
    serve(version, flights(300, seed=2, shift=200), at=timezone.now() - timedelta(hours=30))
    row = report_drift("late", actor="cli:test")
    assert row.rows_current == 300
    assert not row.dataset_drift
    assert report_drift("late", window_hours=48, actor="cli:test").rows_current == 600


def test_column_without_values_is_listed_not_measured(version: ModelVersion) -> None:
    frame = flights(300, seed=2)
    frame["delay"] = None
    serve(version, frame)
    row = report_drift("late", actor="cli:test")
    assert row.not_measured == ["delay"]
    assert row.columns.keys() == {"distance", "carrier"}


@pytest.mark.parametrize(("method", "high"), [("ks", False), ("wasserstein", True)])
def test_each_method_knows_its_direction(version: ModelVersion, method: str, high: bool) -> None:
    serve(version, flights(600, seed=2, shift=60))
    row = report_drift("late", method=method, actor="cli:test")
    assert row.columns["delay"]["drifted"]
    assert not row.columns["distance"]["drifted"]
    assert (row.columns["delay"]["score"] > 0.1) is high


def test_score_that_is_no_number_is_listed_not_measured() -> None:
    frame = pd.DataFrame({"origin": ["JFK"] * 300, "delay": [float(number) for number in range(300)]})
    schema = [{"name": "origin", "dtype": "string"}, {"name": "delay", "dtype": "number"}]
    pair = compare(frame, frame, schema)
    verdict = measure_drift(pair, drift_method("ks", drift_share=0.5))
    assert verdict.columns.keys() == {"delay"}


def test_column_of_one_value_does_not_fail_the_report(var_dir: Path, tmp_path: Path) -> None:
    frame = flights(400).assign(carrier="AA")
    frame.to_csv(tmp_path / "training.csv", index=False)
    ingest("flights", [tmp_path / "training.csv"], actor="cli:test")
    version = production(snapshot_id=take_snapshot("training", dataset="flights", actor="cli:test").pk)
    serve(version, frame)
    row = report_drift("late", method="ks", actor="cli:test")
    assert row.not_measured == ["carrier"]
    assert row.columns.keys() == {"delay", "distance"}


def test_file_is_compared_instead_of_the_log(version: ModelVersion, tmp_path: Path) -> None:
    for name in ("now.csv", "now.parquet"):
        frame = flights(500, seed=5, shift=60)
        frame.to_csv(tmp_path / name, index=False) if name.endswith("csv") else frame.to_parquet(tmp_path / name)
        row = report_drift("late", current=tmp_path / name, actor="cli:test")
        assert row.window_start is None
        assert row.rows_current == 500
        assert row.columns["delay"]["drifted"]
        assert not row.columns["carrier"]["drifted"]


def test_many_rows_are_sampled_and_all_are_counted(version: ModelVersion, settings: Any) -> None:
    drift = settings.CONFIG.drift.model_copy(update={"max_rows": 100})
    settings.CONFIG = settings.CONFIG.model_copy(update={"drift": drift})
    serve(version, flights(700, seed=2))
    first, second = report_drift("late", actor="cli:test"), report_drift("late", actor="cli:test")
    assert (first.rows_reference, first.rows_current) == (2000, 700)
    assert first.columns == second.columns


def test_markup_in_values_stays_data(version: ModelVersion, var_dir: Path) -> None:
    frame = flights(300, seed=2)
    frame.loc[:50, "carrier"] = "</script><script>alert(1)</script>"
    serve(version, frame)
    row = report_drift("late", actor="cli:test")
    page = gzip.decompress((var_dir / row.html_path).read_bytes()).decode()
    assert "<script>alert(1)" not in page
    assert "\\u003cscript>alert(1)" in page


def test_empty_window_is_refused(version: ModelVersion) -> None:
    with pytest.raises(EmptyWindowError, match=r"late answered nothing from .* give a longer --window"):
        report_drift("late", actor="cli:test")
    assert not DriftReport.objects.exists()


def test_version_made_elsewhere_is_refused(var_dir: Path) -> None:
    production()
    with pytest.raises(NoTrainingSnapshotError, match="late@1 was not trained here"):
        report_drift("late", actor="cli:test")


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        (None, UnknownFileError, "there is no file or folder"),
        (b"", UnreadableTableError, "is empty"),
        (b"delay,distance,carrier\n", EmptyWindowError, "a header and no rows"),
        (b"a;b\n1;2\n", EmptyWindowError, "has none of the inputs of late@1: it has \\['a;b'\\]"),
        (b"delay,x\nlate,1\n", EmptyWindowError, "has a value on both sides"),
    ],
)
def test_unusable_file_is_refused(
    version: ModelVersion, tmp_path: Path, content: bytes | None, error: type[Exception], text: str
) -> None:
    if content is not None:
        (tmp_path / "now.csv").write_bytes(content)
    with pytest.raises(error, match=text):
        report_drift("late", current=tmp_path / "now.csv", actor="cli:test")


def test_unknown_method_and_window_are_refused(version: ModelVersion) -> None:
    with pytest.raises(InvalidMonitoringError, match="one of psi, ks, wasserstein, jensenshannon; got 'magic'"):
        report_drift("late", method="magic", actor="cli:test")
    with pytest.raises(InvalidMonitoringError, match="window must be over 0"):
        report_drift("late", window_hours=0, actor="cli:test")


def test_command_prints_the_verdict(version: ModelVersion, capsys: pytest.CaptureFixture[str]) -> None:
    serve(version, flights(600, seed=2, shift=60))
    call_command("drift", "late", "--window", "24h", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["dataset_drift"] is True
    assert answer["columns"]["delay"]["drifted"] is True
    assert Path(answer["html"]).is_file()
    assert answer["report"] == DriftReport.objects.get(run=Run.objects.get()).pk


def test_command_shows_the_columns_to_a_person(version: ModelVersion, capsys: pytest.CaptureFixture[str]) -> None:
    serve(version, flights(600, seed=2, shift=60))
    call_command("drift", "late")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(": drift")
    assert lines[1].split()[0] == "delay"
