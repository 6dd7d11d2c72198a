from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models_store.core.gates import GATES, evaluate
from models_store.core.gates.base import ArtefactCheck, Champion, Evidence, GateOutcome, SmokeCheck
from models_store.core.gates.known import Traffic, TrainedOn
from models_store.core.paired import PairedLoss
from tests.models_store.made import GOOD, OUTPUT

COLUMNS = [{"name": "a", "dtype": "number", "nullable": True}, {"name": "b", "dtype": "string", "nullable": False}]
NOW = datetime(2026, 11, 26, tzinfo=UTC)
SLICES = {"origin": [{"value": "JFK", "rows": 900, "metrics": {"log_loss": 0.42, "roc_auc": 0.7}}]}
CHAMPION = Champion(number=1, snapshot_id=7, metrics=GOOD, input_schema=COLUMNS, output_schema=OUTPUT)
EVIDENCE = Evidence(
    spec="flights@2",
    task="classification",
    primary_metric="log_loss",
    snapshot_id=7,
    metrics=GOOD | {"slices": SLICES},
    input_schema=COLUMNS,
    output_schema=OUTPUT,
    artefact=ArtefactCheck(digest="d" * 64),
    smoke=SmokeCheck(rows=5, finite=True, row_ms=1.5),
    champion=CHAMPION,
    paired=PairedLoss(rows=500, own=0.4, champion=0.4, resampled=(-0.002, 0.0, 0.004)),
    size_bytes=3 * 1024 * 1024,
    trained_on=TrainedOn(dataset="trips@4", newest=NOW - timedelta(days=2), is_event=True, accepted=[]),
    traffic=Traffic(rows=2000, hours=30.0),
    as_of=NOW,
    card={"purpose": "late flights", "intended_use": "staffing", "limits": "no charters", "owner": "Ann"},
)


def ask(gate: str, settings: dict[str, Any] | None = None, **changes: Any) -> GateOutcome:
    return GATES[gate](replace(EVIDENCE, **changes), settings or {})


def measuring(part: str, **values: Any) -> dict[str, Any]:
    return {**GOOD, part: {**GOOD.get(part, {}), **values}}


def test_every_gate_passes_a_good_version():
    outcomes = evaluate(list(GATES), EVIDENCE, {})
    assert [found.gate for found in outcomes] == list(GATES)
    assert all(found.passed for found in outcomes)


def test_one_failed_gate_does_not_hide_the_others():
    outcomes = evaluate(list(GATES), replace(EVIDENCE, metrics={}, smoke=SmokeCheck(rows=5, finite=False)), {})
    assert {found.gate for found in outcomes if not found.passed} == {
        "primary_metric",
        "better_than_baseline",
        "better_than_linear",
        "not_worse_than_champion",
        "slices_not_worse",
        "calibration_error",
        "max_latency",
        "smoke_prediction_finite",
    }


def test_refused_artefact_fails_with_its_reason():
    found = ask("artefact_verified", artefact=ArtefactCheck(digest="d", error="artefact_corrupt: changed"))
    assert (found.passed, found.observed) == (False, "artefact_corrupt: changed")


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "0.4", True])
def test_primary_metric_that_is_no_finite_number_fails(value):
    found = ask("primary_metric", metrics=measuring("test", log_loss=value))
    assert (found.passed, found.observed, found.threshold) == (False, "log_loss was not measured", "log_loss finite")


@pytest.mark.parametrize(("bound", "passed"), [(0.4, True), (0.399, False)])
def test_bound_of_a_loss_is_the_most_it_may_be(bound, passed):
    found = ask("primary_metric", {"bound": bound})
    assert (found.passed, found.threshold) == (passed, f"log_loss at most {bound}")


@pytest.mark.parametrize(("bound", "passed"), [(0.8, True), (0.81, False)])
def test_bound_of_a_score_is_the_least_it_may_be(bound, passed):
    found = ask("primary_metric", {"bound": bound}, primary_metric="roc_auc")
    assert (found.passed, found.threshold) == (passed, f"roc_auc at least {bound}")


@pytest.mark.parametrize(("value", "passed"), [(0.59, True), (0.6, False), (0.61, False)])
def test_version_must_beat_its_baseline(value, passed):
    assert ask("better_than_baseline", metrics=measuring("test", log_loss=value)).passed is passed


def test_margin_is_asked_on_top():
    found = ask("better_than_baseline", {"margin": 0.3})
    assert (found.passed, found.threshold) == (False, "log_loss below the baseline's 0.6 by 0.3")


def test_score_must_lie_above_the_baseline():
    assert ask("better_than_baseline", primary_metric="roc_auc").passed
    assert not ask("better_than_baseline", primary_metric="roc_auc", metrics=measuring("test", roc_auc=0.5)).passed


def test_missing_baseline_fails():
    found = ask("better_than_linear", metrics=measuring("linear_baseline", log_loss=None))
    assert (found.passed, found.observed) == (False, "the linear baseline has no log_loss")


@pytest.mark.parametrize(("value", "passed"), [(0.408, True), (0.4081, False), (0.3, True)])
def test_champion_may_be_missed_by_the_tolerance(value, passed):
    found = ask("not_worse_than_champion", metrics=measuring("test", log_loss=value))
    assert found.passed is passed
    assert found.threshold == "log_loss at most 0.408 (version 1 has 0.4)"
    assert found.evidence["same_rows"] is True


def test_champion_score_is_a_floor():
    found = ask("not_worse_than_champion", {"tolerance": 0}, primary_metric="roc_auc")
    assert (found.passed, found.threshold) == (True, "roc_auc at least 0.8 (version 1 has 0.8)")


def test_champion_on_other_rows_is_told():
    assert ask("not_worse_than_champion", snapshot_id=8).evidence["same_rows"] is False


@pytest.mark.parametrize("gate", ["not_worse_than_champion", "signature_compatible"])
def test_first_version_has_nobody_to_be_compared_with(gate):
    found = ask(gate, champion=None)
    assert (found.passed, found.observed) == (True, "no other version is in production")


def test_champion_without_the_metric_cannot_be_compared_with():
    found = ask("not_worse_than_champion", champion=replace(CHAMPION, metrics={}))
    assert (found.passed, found.observed) == (False, "version 1 in production has no log_loss")


@pytest.mark.parametrize(("value", "passed"), [(0.1, True), (0.11, False), (None, False)])
def test_calibration_error_has_a_bound(value, passed):
    assert ask("calibration_error", metrics=measuring("test", calibration_error=value)).passed is passed


def test_calibration_does_not_apply_to_a_regression():
    found = ask("calibration_error", task="regression")
    assert (found.passed, found.observed) == (True, "does not apply to a regression")


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        ([*COLUMNS, {"name": "c", "dtype": "number"}], "added: c"),
        (COLUMNS[:1], "removed: b"),
        ([{**COLUMNS[0], "dtype": "string"}, COLUMNS[1]], "retyped: a (number or missing to string or missing)"),
        ([{**COLUMNS[0], "nullable": False}, COLUMNS[1]], "retyped: a (number or missing to number)"),
        (COLUMNS[::-1], "reordered: b, a"),
    ],
)
def test_request_for_the_live_version_must_fit(columns, shown):
    found = ask("signature_compatible", input_schema=columns)
    assert (found.passed, found.observed) == (False, shown)


def test_column_that_may_now_be_missing_is_compatible():
    columns = [COLUMNS[0], {**COLUMNS[1], "nullable": True}]
    assert ask("signature_compatible", input_schema=columns).passed


def test_other_classes_are_not_compatible():
    found = ask("signature_compatible", output_schema={"task": "classification", "classes": [0, 1, 2]})
    assert (found.passed, found.observed) == (False, "classes: 0, 1, 2")


def test_allowed_difference_passes_and_is_still_shown():
    found = ask("signature_compatible", {"allow": ["added"]}, input_schema=[*COLUMNS, {"name": "c", "dtype": "number"}])
    assert (found.passed, found.observed) == (True, "added: c")
    assert found.threshold == "inputs and classes of version 1, but for added"


@pytest.mark.parametrize(
    ("smoke", "observed"),
    [
        (SmokeCheck(rows=5, finite=False), "5 rows, not all finite"),
        (SmokeCheck(rows=0, finite=False, error="not asked"), "not asked"),
    ],
)
def test_model_that_does_not_answer_fails(smoke, observed):
    found = ask("smoke_prediction_finite", smoke=smoke)
    assert (found.passed, found.observed) == (False, observed)


def test_long_texts_fit_their_columns():
    columns = [{"name": f"column_{index}", "dtype": "number"} for index in range(100)]
    assert len(ask("signature_compatible", input_schema=columns).observed) == 200
