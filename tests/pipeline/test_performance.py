"""Outcomes from a file, and what served predictions were worth."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from django.core.management import call_command
from django.utils import timezone

from features.ground.errors import DomainError
from models_store.models import ModelVersion
from pipeline.actions.performance import measure_performance
from pipeline.errors import EmptyWindowError, InvalidMonitoringError, InvalidOutcomeError, UnknownFileError
from predictions.errors import UnknownPredictionError
from predictions.models import Outcome, Prediction
from tests.pipeline.served_model import production

pytestmark = pytest.mark.django_db(transaction=True)
NOW = timezone.now()


def serve(version: ModelVersion, shares: list[float], *, at: datetime = NOW, **fields: Any) -> Prediction:
    """Log one prediction with a row for each share of `late`."""
    outputs = {
        "predictions": ["late" if share > 0.5 else "on time" for share in shares],
        "probabilities": [[share, 1 - share] for share in shares],
    }
    asked = {"role": "production", "outputs": outputs} | fields
    return Prediction.objects.create(
        request_id="r",
        model_version=version,
        principal="user:test",
        columns=[],
        inputs=[],
        rows=len(shares),
        latency_ms=1,
        at=at,
        **asked,
    )


def told(prediction: Prediction, actual: Any, *, row: int = 0, known_at: datetime = NOW) -> None:
    """Report an outcome."""
    Outcome.objects.create(prediction=prediction, row=row, actual=actual, observed_at=known_at, known_at=known_at)


@pytest.fixture
def version(var_dir: Path) -> ModelVersion:
    """Give a version in production."""
    return production()


def test_metrics_are_of_labelled_rows_only(version: ModelVersion) -> None:
    first, _ = serve(version, [0.9, 0.2, 0.8]), serve(version, [0.5])
    told(first, "late", row=0)
    told(first, "on time", row=1)
    found = measure_performance("late").versions
    assert [(item.version, item.rows, item.labelled) for item in found] == [("late@1", 4, 2)]
    assert found[0].metrics["accuracy"] == 1.0
    assert found[0].metrics["log_loss"] == pytest.approx(0.16425, abs=1e-4)


def test_corrected_label_counts_from_when_it_was_known(version: ModelVersion) -> None:
    prediction = serve(version, [0.9], at=NOW - timedelta(days=3))
    told(prediction, "late", known_at=NOW - timedelta(days=2))
    told(prediction, "on time", known_at=NOW - timedelta(days=1))
    assert measure_performance("late").versions[0].metrics["accuracy"] == 0.0
    before = measure_performance("late", known_at=NOW - timedelta(days=1, hours=12)).versions[0]
    assert before.metrics["accuracy"] == 1.0


def test_version_without_outcomes_has_no_metrics(version: ModelVersion) -> None:
    serve(version, [0.9])
    found = measure_performance("late@1").versions[0]
    assert (found.labelled, found.metrics, found.test) == (0, {}, {})


def test_regression_is_measured_in_its_own_unit(var_dir: Path) -> None:
    version = production("minutes", regression=True)
    prediction = serve(version, [0.0, 0.0], outputs={"predictions": [10.0, 20.0]})
    told(prediction, 13, row=0)
    told(prediction, 16, row=1)
    assert measure_performance("minutes").versions[0].metrics["mae"] == pytest.approx(3.5)


def test_classifier_without_probabilities_has_accuracy(version: ModelVersion) -> None:
    prediction = serve(version, [0.0], outputs={"predictions": ["late"]})
    told(prediction, "late")
    assert measure_performance("late").versions[0].metrics == {"accuracy": 1.0}


def test_empty_and_impossible_windows_are_refused(version: ModelVersion) -> None:
    serve(version, [0.9], at=NOW - timedelta(days=60))
    with pytest.raises(EmptyWindowError, match="late answered nothing from"):
        measure_performance("late")
    with pytest.raises(InvalidMonitoringError, match="window must be over 0"):
        measure_performance("late", window_hours=0)


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_outcomes_are_read_from_a_file(
    version: ModelVersion, tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    prediction = serve(version, [0.9, 0.2])
    frame = pd.DataFrame(
        {
            "prediction_id": [str(prediction.pk)] * 2,
            "actual": ["late", "late"],
            "row": [0, 1],
            "observed_at": ["2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00"],
        }
    )
    path = tmp_path / f"outcomes.{ending}"
    if ending == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
    call_command("outcomes", str(path), "--json")
    assert json.loads(capsys.readouterr().out) == {"outcomes": 2, "recorded": 2, "known_before": 0}
    assert [(item.row, item.actual, item.observed_at.year) for item in Outcome.objects.order_by("row")] == [
        (0, "late", 2026),
        (1, "late", 2026),
    ]


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        (None, UnknownFileError, "there is no file"),
        ("", InvalidOutcomeError, "holds no outcome"),
        ("nonsense\n", InvalidOutcomeError, "line 1 is not JSON"),
        ('{"actual": "late"}\n', InvalidOutcomeError, "line 1 must have prediction_id and actual"),
        ('{"prediction_id": "x", "actual": "late"}\n', InvalidOutcomeError, "line 1: badly formed"),
        ('{"prediction_id": "x", "actual": "late", "y": 1}\n', InvalidOutcomeError, "line 1 has y; allowed"),
        ('{"prediction_id": "x", "actual": "late", "row": "a"}\n', InvalidOutcomeError, "row must be a whole number"),
        ('{"prediction_id": "x", "actual": "late", "known_at": "now"}\n', InvalidOutcomeError, "line 1: "),
        (
            '{"prediction_id": "00000000-0000-4000-8000-000000000000", "actual": "late"}\n',
            UnknownPredictionError,
            "no prediction",
        ),
    ],
)
def test_file_with_a_wrong_line_records_nothing(
    version: ModelVersion, tmp_path: Path, content: str | None, error: type[DomainError], text: str
) -> None:
    if content is not None:
        (tmp_path / "outcomes.jsonl").write_text(content)
    with pytest.raises(error, match=text):
        call_command("outcomes", str(tmp_path / "outcomes.jsonl"))
    assert not Outcome.objects.exists()


def test_number_in_a_csv_is_a_number(var_dir: Path, tmp_path: Path) -> None:
    prediction = serve(production("minutes", regression=True), [0.0], outputs={"predictions": [10.0]})
    (tmp_path / "outcomes.csv").write_text(f"prediction_id,actual\n{prediction.pk},12.5\n")
    call_command("outcomes", str(tmp_path / "outcomes.csv"))
    assert Outcome.objects.get().actual == 12.5


def test_command_shows_served_beside_test_metrics(version: ModelVersion, capsys: pytest.CaptureFixture[str]) -> None:
    ModelVersion.objects.filter(pk=version.pk).update(metrics={"test": {"accuracy": 0.75}})
    told(serve(version, [0.9]), "late")
    call_command("performance", "late", "--window", "7d", "--known-at", (NOW + timedelta(seconds=1)).isoformat())
    out = capsys.readouterr().out
    assert "late@1: 1 of 1 rows have an outcome" in out
    assert "accuracy           1.0000  test 0.7500" in out
    call_command("performance", "late", "--json")
    assert json.loads(capsys.readouterr().out)["versions"][0]["labelled"] == 1
