"""Gates that hold one figure of a version against a bound: slices, size, latency, data, leakage, traffic."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from models_store.core.gates.base import SmokeCheck
from models_store.core.gates.known import Traffic, TrainedOn
from models_store.core.policy import parse_policy
from models_store.errors import PolicyError
from tests.models_store.made import GOOD
from tests.models_store.test_gates import EVIDENCE, NOW, ask

DATA = EVIDENCE.trained_on
assert DATA is not None


def sliced(*parts: tuple[str, int, float | None], metric: str = "log_loss"):
    slices = [{"value": value, "rows": rows, "metrics": {metric: found}} for value, rows, found in parts]
    return {**GOOD, "slices": {"carrier": slices}}


@pytest.mark.parametrize(
    ("parts", "settings", "passed", "observed", "threshold"),
    [
        ([("AA", 500, 0.5), ("UA", 500, 0.41)], {}, True, "worst of 2: carrier AA 0.5", "at most 0.5"),
        ([("AA", 500, 0.5001), ("UA", 500, 0.6)], {}, False, "worse: carrier UA 0.6; carrier AA 0.5001", "most 0.5"),
        ([("AA", 99, 0.9), ("UA", 100, 0.41)], {}, True, "worst of 1: carrier UA 0.41", "most 0.5"),
        ([("AA", 99, 0.9)], {"min_rows": 99}, False, "worse: carrier AA 0.9", "most 0.5"),
        ([("AA", 500, 0.5)], {"bound": 0.45}, False, "worse: carrier AA 0.5", "most 0.45"),
        ([("AA", 500, 0.42)], {"tolerance": 0.01}, False, "worse: carrier AA 0.42", "most 0.404"),
        ([("AA", 500, None)], {}, False, "no slice of 100 rows was measured: train with --slice COLUMN", "most 0.5"),
    ],
)
def test_no_slice_may_be_worse_than_its_bound(parts, settings, passed, observed, threshold):
    found = ask("slices_not_worse", settings, metrics=sliced(*parts))
    assert (found.passed, found.observed) == (passed, observed)
    assert threshold in found.threshold


def test_slice_of_a_score_must_lie_above_its_bound():
    good, bad = (sliced(("AA", 500, score), metric="roc_auc") for score in (0.61, 0.59))
    assert ask("slices_not_worse", primary_metric="roc_auc", metrics=good).passed
    found = ask("slices_not_worse", primary_metric="roc_auc", metrics=bad)
    assert (found.passed, found.evidence["worse"]) == (False, {"carrier AA": 0.59})


def test_version_without_slices_or_metric_fails():
    assert ask("slices_not_worse", metrics=GOOD).observed.startswith("no slice of 100 rows")
    assert ask("slices_not_worse", metrics={}).observed == "log_loss was not measured"


@pytest.mark.parametrize(("settings", "passed"), [({}, True), ({"mb": 3}, True), ({"mb": 2.9}, False)])
def test_artefact_has_a_size(settings, passed):
    found = ask("max_size", settings)
    assert (found.passed, found.observed) == (passed, "3 MB")


@pytest.mark.parametrize(("settings", "passed"), [({}, True), ({"ms": 1.5}, True), ({"ms": 1.4}, False)])
def test_answer_takes_a_time(settings, passed):
    found = ask("max_latency", settings)
    assert (found.passed, found.observed, found.moving) == (passed, "one row in 1.5 ms", True)


def test_model_that_did_not_answer_has_no_latency():
    found = ask("max_latency", smoke=SmokeCheck(rows=5, finite=False, error="it does not load"))
    assert (found.passed, found.observed) == (False, "not measured: it does not load")


@pytest.mark.parametrize(("days", "passed"), [(2, True), (1.9, False)])
def test_newest_event_lies_a_short_time_back(days, passed):
    found = ask("data_fresh", {"days": days})
    assert (found.passed, found.observed) == (passed, "newest event of trips@4: 2026-11-24 00:00 UTC")
    later = ask("data_fresh", {"days": days}, as_of=NOW + timedelta(hours=1))
    assert later.observed == found.observed


def test_data_without_times_is_as_old_as_its_ingestion():
    old = TrainedOn(dataset="iris@1", newest=datetime(2026, 1, 1, tzinfo=UTC), is_event=False, accepted=[])
    found = ask("data_fresh", trained_on=old)
    assert (found.passed, found.observed) == (False, "ingestion of iris@1: 2026-01-01 00:00 UTC")


@pytest.mark.parametrize(
    ("accepted", "settings", "passed", "observed"),
    [
        ([], {}, True, "nothing was found that had to be accepted"),
        (["target_copy:price"], {}, False, "accepted: target_copy:price"),
        (["target_copy:price"], {"accepted": 1}, True, "accepted: target_copy:price"),
        (None, {}, False, "no leakage check is known of this version"),
    ],
)
def test_leakage_nobody_had_to_accept(accepted, settings, passed, observed):
    found = ask("leakage_report_clean", settings, trained_on=replace(DATA, accepted=accepted))
    assert (found.passed, found.observed) == (passed, observed)


@pytest.mark.parametrize("gate", ["data_fresh", "leakage_report_clean"])
def test_version_made_elsewhere_names_no_data(gate):
    assert not ask(gate, trained_on=None).passed


@pytest.mark.parametrize(
    ("settings", "passed"),
    [({}, True), ({"rows": 2001}, False), ({"hours": 30}, True), ({"hours": 30.5}, False)],
)
def test_version_has_answered_enough_in_shadow_or_as_canary(settings, passed):
    found = ask("minimum_traffic", settings)
    assert (found.passed, found.observed) == (passed, "2000 rows within 30 hours in shadow or as canary")


def test_version_nobody_has_asked_has_no_traffic():
    found = ask("minimum_traffic", traffic=Traffic())
    assert (found.passed, found.threshold) == (False, "at least 1000 rows")


@pytest.mark.parametrize(
    ("gate", "settings", "said"),
    [
        ("slices_not_worse", {"min_rows": 0}, "slices_not_worse.min_rows must be a whole number from 1 to"),
        ("slices_not_worse", {"bound": "low"}, "slices_not_worse.bound must be a number, got low"),
        ("max_latency", {"ms": 0}, "max_latency.ms must be a number from 0.001 to 600000, got 0"),
        ("max_size", {"mb": -1}, "max_size.mb must be a number from 0.001"),
        ("data_fresh", {"days": None}, "data_fresh.days must be a number from 0.01 to 36500, got None"),
        ("leakage_report_clean", {"accepted": 0.5}, "accepted must be a whole number"),
        ("minimum_traffic", {"rows": True}, "rows must be a whole number"),
        ("smoke_prediction_finite", {"rows": 1}, "gates with settings are"),
    ],
)
def test_setting_with_a_fault_is_refused(gate, settings, said):
    with pytest.raises(PolicyError, match=said):
        parse_policy({"settings": {gate: settings}}, "classification")
