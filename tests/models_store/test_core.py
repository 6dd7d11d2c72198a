import math

import pytest

from models_store.core.history import Change, previous_production
from models_store.core.lifecycle import (
    DISPLACED,
    MOVES,
    SERVING,
    TARGETS,
    check_move,
    check_rollback,
    checked_percent,
)
from models_store.core.policy import default_policy, imported_policy, parse_policy
from models_store.core.quality import is_lower_better
from models_store.core.reasons import checked_reason
from models_store.core.spec import Spec, parse_spec, parse_version
from models_store.errors import (
    AlreadyThereError,
    BadPromotionError,
    BadSpecError,
    BadVersionError,
    MoveNotAllowedError,
    PolicyError,
)
from models_store.models import Stage


def test_specs_are_read():
    assert parse_spec("flights") == Spec(model="flights")
    assert parse_spec("flights@12") == Spec(model="flights", number=12)
    assert str(parse_version("flights@12")) == "flights@12"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@1",
        "a@",
        "a@0",
        "a@-1",
        "a@1.5",
        "a@1@2",
        "../a",
        "a/b",
        "a b",
        "<b>",
        "é",
        "a" * 101,
        "a@9999999999",
        "a\n",
    ],
)
def test_text_that_names_no_version_is_refused(text):
    with pytest.raises(BadSpecError):
        parse_spec(text)


def test_version_is_asked_for_where_it_is_needed():
    with pytest.raises(BadSpecError, match="name a version as flights@N"):
        parse_version("flights")


def test_table_of_moves_covers_every_stage():
    assert set(MOVES) == set(Stage.values)
    assert set().union(*MOVES.values()) == set(TARGETS)
    assert set(DISPLACED) == set(SERVING)


@pytest.mark.parametrize("stage", sorted(MOVES))
@pytest.mark.parametrize("target", TARGETS)
def test_moves_outside_the_table_are_refused(stage, target):
    if stage == target:
        with pytest.raises(AlreadyThereError, match=f"already {stage}"):
            check_move("m@1", stage, target)
    elif target in MOVES[stage]:
        check_move("m@1", stage, target)
    else:
        with pytest.raises(MoveNotAllowedError, match=f"is {stage} and may go to"):
            check_move("m@1", stage, target)


def test_archived_version_is_pointed_to_the_rollback():
    with pytest.raises(MoveNotAllowedError, match="may go to no other stage; only a rollback"):
        check_move("m@1", "archived", "production")


def test_rollback_takes_archived_versions_alone():
    check_rollback("m@1", "archived")
    with pytest.raises(AlreadyThereError):
        check_rollback("m@1", "production")
    with pytest.raises(MoveNotAllowedError, match="use promote"):
        check_rollback("m@1", "candidate")


def test_percent_goes_with_a_canary():
    assert checked_percent("canary", None) == 10
    assert checked_percent("canary", 100) == 100
    assert checked_percent("production", None) is None


@pytest.mark.parametrize(("target", "percent"), [("canary", 0), ("canary", 101), ("production", 5)])
def test_wrong_percent_is_refused(target, percent):
    with pytest.raises(BadPromotionError):
        checked_percent(target, percent)


@pytest.mark.parametrize(
    ("changes", "previous"),
    [
        ([], None),
        ([("promote", 1)], None),
        ([("promote", 1), ("promote", 2)], 1),
        ([("promote", 1), ("promote", 1), ("promote", 2), ("promote", 2)], 1),  # canaries came between
        ([("promote", 1), ("promote", 2), ("promote", 3), ("rollback", 2)], 1),  # never back to the one just left
        ([("promote", 1), ("promote", 2), ("rollback", 1)], None),
        ([("promote", 1), ("promote", 2), ("rollback", 1), ("promote", 3)], 1),
        ([("promote", 1), ("promote", None)], 1),
        ([("promote", None)], None),
        ([("promote", 1), ("promote", None), ("rollback", 1)], None),
        ([("promote", 1), ("promote", None), ("promote", 2)], 1),
    ],
)
def test_rollback_undoes(changes, previous):
    assert previous_production(Change(action=action, production=live) for action, live in changes) == previous


def test_default_policy_asks_everything_before_production():
    gates = default_policy("classification").gates("production")
    assert gates[0] == "artefact_verified"
    assert {"primary_metric", "better_than_baseline", "calibration_error"} <= set(gates)
    assert "calibration_error" not in default_policy("regression").gates("production")
    assert imported_policy().gates("production") == [
        "artefact_verified",
        "signature_compatible",
        "smoke_prediction_finite",
    ]
    assert default_policy("regression").gates("archived") == []


def test_policy_without_stages_has_the_default_gates():
    assert parse_policy({}, "regression") == default_policy("regression")


def test_artefact_is_looked_at_whatever_the_policy_says():
    policy = parse_policy({"approvals": 2, "stages": {"production": []}}, "regression")
    assert (policy.approvals, policy.gates("production")) == (2, ["artefact_verified"])


def test_policy_comes_back_from_its_row():
    given = {
        "approvals": 1,
        "stages": default_policy("regression").as_dict()["stages"],
        "settings": {"calibration_error": {"max": 0.05}, "signature_compatible": {"allow": ["added"]}},
    }
    assert parse_policy(given, "regression").as_dict() == given


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ([], "in a mapping"),
        ({"gate": []}, "keys are"),
        ({"approvals": -1}, "approvals must be"),
        ({"approvals": True}, "approvals must be"),
        ({"stages": {"archived": []}}, "stages with gates are"),
        ({"stages": {"production": "all"}}, "list of gates"),
        ({"stages": {"production": ["luck"]}}, "gates are"),
        ({"settings": {"luck": {}}}, "gates with settings are"),
        ({"settings": {"calibration_error": {"most": 1}}}, "settings of calibration_error are max"),
        ({"settings": {"calibration_error": {"max": "1"}}}, "max must be a number, got 1"),
        ({"settings": {"primary_metric": {"bound": math.nan}}}, "must be a number"),
        ({"settings": {"primary_metric": {"bound": math.inf}}}, "must be a number"),
        ({"settings": {"primary_metric": {"bound": 10**400}}}, "must be a number"),
        ({"settings": {"signature_compatible": {"allow": ["all"]}}}, "allow is a list"),
    ],
)
def test_policy_with_a_fault_is_refused(policy, said):
    with pytest.raises(PolicyError, match=said):
        parse_policy(policy, "classification")


@pytest.mark.parametrize(
    ("metric", "lower"), [("rmse", True), ("pinball_loss", True), ("r2", False), ("my_score", False)]
)
def test_direction_of_a_metric(metric, lower):
    assert is_lower_better(metric) is lower


def test_metric_of_unknown_direction_is_refused():
    with pytest.raises(BadVersionError, match="which way is 'speed' better"):
        is_lower_better("speed")


@pytest.mark.parametrize("text", ["", "   ", "x" * 2001, "a\x00b", "a\ud800"])
def test_reason_nobody_can_read_is_refused(text):
    with pytest.raises(BadPromotionError):
        checked_reason(text)


def test_reason_loses_the_space_around_it():
    assert checked_reason("  better \n") == "better"
