"""Whoever does something through an action is in the audit, and so is whoever was refused."""

import ast

import pytest

from tests.house.calls import dotted, known, reached
from tests.house.source import APPS, python_files, tree
from tests.house.test_writes import writes

DEED = {"models_store.actions.audit.append_audit", "features.ground.audit.record_audit"}
REFUSAL = {"features.ground.audit.audited_refusals", "features.ground.audit.refusals_audited"}

# Write on somebody's behalf, and leave no entry of their own for the deed.
DEED_ELSEWHERE = {
    "features.actions.beside_rows.write_beside": "a part of ingesting, which is audited",
    "features.actions.contract_versions.first_contract_version": "the same",
    "features.actions.contract_versions.next_contract_version": "a part of editing a contract, which is audited",
    "features.actions.compact.compact_tables": "rewrites files; no row a person sees is another afterwards",
    "features.actions.serve_values.begin_snapshot": "nobody sees it until it is served, which is audited",
    "pipeline.actions.answer_messages.answer_messages": "each prediction's row names its source",
    "pipeline.actions.drift.report_drift": "the report's row and its run name who asked",
    "pipeline.actions.score.score": "the score's row and its run name who asked",
    "pipeline.actions.runs_claim.start_run": "the run's row names who asked; what it does is audited by itself",
    "pipeline.actions.runs_execute.run_inline": "the same",
    "predictions.actions.record_outcomes.record_outcomes": "each outcome's row names who said it",
}

# Not asked by a person, or a part of an action that keeps the refusal.
REFUSAL_ELSEWHERE = DEED_ELSEWHERE | {
    "features.actions.add_version.add_version": "a part of ingesting and of mending rows",
    "features.actions.mend_tables.mend_tables": "mends what it finds and refuses nothing",
    "features.actions.prune.prune": "the same",
    "models_store.actions.audit.append_audit": "the audit itself",
    "models_store.actions.promote.concluded": "a part of promoting and approving",
    "models_store.actions.publish.published_or_warning": "answers with a warning",
    "models_store.actions.record_refusal.record_refusal": "is the record of a refusal",
    "models_store.actions.record_request.record_request": "a part of every decision",
    "predictions.actions.forget_predictions.forget_predictions": "forgets what is too old and refuses nothing",
}


def acted() -> dict[str, frozenset[str]]:
    """Return what each action reaches that writes and is told by whom it is asked."""
    found = {}
    for file in (file for file in python_files(*APPS) if "actions" in file.parts):
        for node in tree(file).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                names = [argument.arg for argument in node.args.args + node.args.kwonlyargs]
                item = f"{dotted(file)}.{node.name}"
                if "actor" in names and writes_rows(item):
                    found[item] = reached(item)
    return found


def writes_rows(item: str) -> bool:
    parts = (part for part in reached(item) if ".actions." in part and part in known())
    return any(next(writes(ast.Module(body=[known()[part]], type_ignores=[])), None) for part in parts)


@pytest.fixture(scope="module")
def actions() -> dict[str, frozenset[str]]:
    return acted()


def test_actions_are_found(actions):
    assert {"models_store.actions.promote.promote", "features.actions.ingest.ingest"} <= actions.keys()


def test_every_deed_leaves_an_entry(actions):
    assert sorted(item for item, parts in actions.items() if not parts & DEED and item not in DEED_ELSEWHERE) == []


def test_every_refusal_leaves_an_entry(actions):
    assert (
        sorted(item for item, parts in actions.items() if not parts & REFUSAL and item not in REFUSAL_ELSEWHERE) == []
    )


def test_lists_name_nothing_that_is_gone_or_audited_by_now(actions):
    assert sorted(DEED_ELSEWHERE.keys() - actions.keys()) == []
    assert sorted(REFUSAL_ELSEWHERE.keys() - actions.keys()) == []
    assert sorted(item for item in DEED_ELSEWHERE if actions[item] & DEED) == []
    assert sorted(item for item in REFUSAL_ELSEWHERE if actions[item] & REFUSAL) == []
