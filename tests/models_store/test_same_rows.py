"""Two versions on the same test rows: the file they keep, the paired bootstrap, and the gate."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models_store.actions.change_policy import change_policy
from models_store.actions.evaluate_gates import evaluate_gates
from models_store.actions.promote import promote
from models_store.adapters.artefacts import read_artefact
from models_store.core.gates import GATES
from models_store.core.judged import FILE_NAME, MAX_ROWS, JudgedRows, judged_bytes, parse_judged
from models_store.core.paired import paired_loss
from models_store.core.policy import parse_policy
from models_store.errors import ArtefactCorruptError, BadVersionError, GateFailedError, PolicyError
from models_store.models import ModelVersion
from tests.models_store.made import made
from tests.models_store.test_gates import EVIDENCE

GATE = "not_worse_on_same_rows"


def judged(rows: int = 400, *, first: int = 0, worse: float = 0.0, noise: float = 0.0, seed: int = 0) -> JudgedRows:
    """Return forecasts of rows whose keys run on from `first`; `worse` takes probability from the truth."""
    keys = np.arange(first, first + rows, dtype=np.uint64)
    # What is true of a row hangs on its key alone, as it does where keys are hashes of rows.
    actual = (keys % 3 == 0).astype(np.float64)
    sure = np.clip(0.8 - worse + noise * np.random.default_rng(seed).standard_normal(rows), 0.01, 0.99)
    said = np.where(actual == 1, sure, 1 - sure)
    return JudgedRows(keys=keys, actual=actual, said=np.column_stack([1 - said, said]))


def asked(own: JudgedRows, champion: JudgedRows, **settings: Any):
    return GATES[GATE](replace(EVIDENCE, paired=paired_loss(own, champion)), settings)


def test_losses_are_log_loss_or_squared_error():
    rows = JudgedRows(
        keys=np.array([1, 2], np.uint64), actual=np.array([0.0, 1.0]), said=np.array([[0.5, 0.5], [0.75, 0.25]])
    )
    assert rows.losses() == pytest.approx([np.log(2), np.log(4)])
    values = JudgedRows(keys=rows.keys, actual=np.array([1.0, 2.0]), said=np.array([3.0, 2.5]))
    assert values.losses() == pytest.approx([4.0, 0.25])


def test_rows_come_back_from_their_file_in_the_order_of_keys():
    rows, turned = judged(50), judged(50)
    order = np.random.default_rng(1).permutation(50)
    turned = JudgedRows(keys=rows.keys[order], actual=rows.actual[order], said=rows.said[order])
    assert judged_bytes(rows) == judged_bytes(turned)
    back = parse_judged(judged_bytes(turned))
    assert (back.keys == rows.keys).all()
    assert (back.said == rows.said).all()
    values = JudgedRows(keys=rows.keys, actual=rows.actual, said=rows.said[:, 0])
    assert (parse_judged(judged_bytes(values)).said == values.said).all()


def test_two_versions_keep_the_same_rows_of_too_many():
    many = judged(MAX_ROWS + 1000)
    shuffled = np.random.default_rng(2).permutation(len(many.keys))[: MAX_ROWS + 500]
    fewer = JudgedRows(keys=many.keys[shuffled], actual=many.actual[shuffled], said=many.said[shuffled])
    kept, other = parse_judged(judged_bytes(many)), parse_judged(judged_bytes(fewer))
    assert len(kept.keys) == len(other.keys) == MAX_ROWS
    assert len(np.intersect1d(kept.keys, other.keys)) > 0.98 * MAX_ROWS


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"keys": np.zeros(400, np.uint64)}, "no two the same"),
        ({"keys": np.arange(400)}, "uint64"),
        ({"actual": np.zeros(3)}, "a key, an actual and a said"),
        ({"actual": np.full(400, 2.0)}, "class codes from 0 to 1"),
        ({"actual": np.full(400, 0.5)}, "class codes"),
        ({"said": np.full((400, 2), np.nan)}, "finite"),
        ({"keys": np.array([], np.uint64), "actual": np.array([]), "said": np.array([])}, "at least one"),
    ],
)
def test_rows_of_another_form_are_refused(change, said):
    rows = judged()
    given = {"keys": rows.keys, "actual": rows.actual, "said": rows.said, **change}
    with pytest.raises(BadVersionError, match=said):
        judged_bytes(JudgedRows(**given))


@pytest.mark.parametrize("data", [b"", b"no parquet", judged_bytes(judged(5))[:-9]])
def test_file_of_another_form_is_refused(data):
    with pytest.raises(ArtefactCorruptError, match="another form"):
        parse_judged(data)


def test_interval_of_the_bootstrap_is_that_of_the_mean():
    own, champion = judged(2000, noise=0.05, seed=1), judged(2000, noise=0.05, seed=2)
    paired = paired_loss(own, champion)
    apart = own.losses() - champion.losses()
    error = 1.96 * apart.std() / np.sqrt(2000)
    low, high = paired.interval(0.95)
    assert (low, high) == pytest.approx((apart.mean() - error, apart.mean() + error), abs=0.15 * error)
    assert paired == paired_loss(own, champion)
    assert paired.resampled != paired_loss(own, champion, seed=1).resampled


def test_equal_version_passes_and_a_clearly_worse_one_fails():
    assert asked(judged(), judged()).passed
    found = asked(judged(worse=0.1), judged())
    assert (found.passed, found.evidence["rows"]) == (False, 400)
    assert found.observed.startswith("log loss less version 1's: +0.133531, 95 % interval")


def test_version_that_may_be_worse_for_all_anyone_knows_fails():
    """The mean alone is within the tolerance; the interval is not."""
    few = asked(judged(120, noise=0.1, seed=1), judged(120, noise=0.1, seed=2), max_loss=0.01)
    many = asked(judged(20_000, noise=0.1, seed=1), judged(20_000, noise=0.1, seed=2), max_loss=0.01)
    assert few.evidence["own"] - few.evidence["other"] < 0.01
    assert (few.passed, many.passed) == (False, True)


def test_only_common_rows_count():
    """On rows of its own the version is worse; on those of both it is the same."""
    own, bad = judged(400), judged(400, first=400, worse=0.5)
    both = JudgedRows(
        keys=np.concatenate([own.keys, bad.keys]),
        actual=np.concatenate([own.actual, bad.actual]),
        said=np.concatenate([own.said, bad.said]),
    )
    found = asked(both, judged(400))
    assert (found.passed, found.evidence["rows"], found.evidence["own"]) == (True, 400, found.evidence["other"])


@pytest.mark.parametrize(
    ("champion", "settings", "said"),
    [
        (judged(first=1000), {}, "0 common rows"),
        (judged(first=350), {}, "can't be decided on 50 common test rows"),
        (judged(400), {"min_rows": 401}, "can't be decided on 400"),
        (replace(judged(), actual=np.zeros(400)), {}, "disagree"),
    ],
)
def test_versions_that_cannot_be_compared_fail_with_the_reason(champion, settings, said):
    found = asked(judged(), champion, **settings)
    assert not found.passed
    assert said in found.observed


def test_first_version_is_compared_with_nobody():
    found = GATES[GATE](replace(EVIDENCE, champion=None, paired=None), {})
    assert (found.passed, found.observed) == (True, "no other version is in production")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"min_rows": 1}, "min_rows must be a whole number from 2 to 50000, got 1"),
        ({"min_rows": 100.5}, "must be a whole number"),
        ({"confidence": 1}, "confidence must be a number from 0.5 to 0.999, got 1"),
        ({"tolerance": -0.1}, "tolerance must be a number from 0 to 10"),
        ({"max_loss": float("nan")}, "max_loss must be a number"),
        ({"seed": 1}, "settings of not_worse_on_same_rows are max_loss, tolerance, min_rows, confidence; got seed"),
    ],
)
def test_setting_with_a_fault_is_refused(settings, said):
    with pytest.raises(PolicyError, match=said):
        parse_policy({"settings": {GATE: settings}}, "classification")


def on_same_rows() -> None:
    change_policy("flights", {"stages": {"production": [GATE]}}, actor="user:root", reason="on the same rows")


def test_promotion_is_decided_on_the_rows_both_versions_keep(store):
    made(judged=judged())
    made(judged=judged(worse=0.1))
    made(judged=judged(worse=-0.05))
    made()
    on_same_rows()
    assert promote("flights@1", target_stage="production", reason="first", actor="user:ann").state == "applied"
    with pytest.raises(GateFailedError, match=GATE):
        promote("flights@2", target_stage="production", reason="new", actor="user:ann")
    found = {outcome.gate: outcome for outcome in evaluate_gates("flights@4", actor="user:ann")}[GATE]
    assert found.observed == f"flights@4 keeps no {FILE_NAME}: train it again"
    assert promote("flights@3", target_stage="production", reason="better", actor="user:ann").state == "applied"
    assert not (store / "models" / "flights" / "production" / FILE_NAME).exists()


def test_rows_are_one_of_the_signed_files(store):
    version = made(judged=judged())
    made(judged=judged())
    on_same_rows()
    promote("flights@1", target_stage="production", reason="first", actor="user:ann")
    path = store / "artefacts" / version.manifest_digest / FILE_NAME
    better = judged_bytes(judged(worse=0.3))
    path.write_bytes(better)
    found = {outcome.gate: outcome for outcome in evaluate_gates("flights@2", actor="user:ann")}[GATE]
    assert not found.passed
    assert FILE_NAME in found.observed
    path.write_bytes(judged_bytes(judged()))
    assert set(read_artefact(ModelVersion.objects.get(pk=version.pk), only=(FILE_NAME,)).files) == {FILE_NAME}
