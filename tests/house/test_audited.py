"""Whoever does something through an action is in the audit, and so is whoever was refused."""

import ast

import pytest

from tests.house.calls import dotted, known, reached
from tests.house.source import APPS, python_files, tree
from tests.house.test_writes import FOREIGN_TABLES, writes

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

# Write, and are not told for whom.
NOBODY_ASKS = {
    "features.actions.contract_versions.current_contract_version": "a part of reading and editing contracts",
    "features.actions.contract_versions.store_profiles": "a part of ingesting, which is audited",
    "features.actions.contract_versions.forget_values": "a part of editing a contract, which is audited",
    "features.actions.compact.record_head": "a part of every write to a table",
    "features.actions.mend_tables.check_tables": "looks; it mends only as mend_tables, which is told",
    "features.actions.serve_values.serve_snapshot": "a part of materialising, which is audited",
    "mlsite.actions.saved_filters.save_filter": "a bookmark of one person, who alone sees it",
    "mlsite.actions.saved_filters.drop_filter": "the same",
    "mlsite.actions.second_factor.begin_factor": "counts for nothing until it is confirmed, which is audited",
    "models_store.actions.apply_due.apply_due": "a clock; what it applies is audited for who asked",
    "models_store.actions.decide.decide": "a part of promoting",
    "models_store.actions.decide_stored.decide_stored": "a part of approving and of what is due",
    "models_store.actions.decide_stored.expire_overdue": "a clock; each end is audited",
    "models_store.actions.evaluate_gates.store_outcomes": "a part of promoting and evaluating",
    "models_store.actions.outbox.emit": "a part of every decision",
    "models_store.actions.outbox.fan_out": "a clock; what is told was audited when it happened",
    "models_store.actions.outbox.claim_delivery": "the same",
    "models_store.actions.record_request.close_request": "a part of every decision",
    "models_store.actions.register_version.register_version": "its version names who made it, and is audited so",
    "models_store.actions.register_version.locked_model": "a part of registering",
    "models_store.actions.transition.apply_move": "a part of every decision",
    "models_store.actions.transition.void_requests": "the same",
    "models_store.actions.verify_audit.checkpoint_audit": "signs the audit itself",
    "pipeline.actions.alerts.raise_alert": "the product's own watch",
    "pipeline.actions.alerts.close_alert": "the same",
    "pipeline.actions.alerts.deliver_alerts": "a clock",
    "pipeline.actions.consume.consume": "each prediction's row names its source",
    "pipeline.actions.deliver_events.deliver_events": "a clock; what is told was audited when it happened",
    "pipeline.actions.guard_canaries.guard_canaries": "a clock; what it stops is audited",
    "pipeline.actions.runs_claim.claim_run": "a worker; the run's row names who asked",
    "pipeline.actions.runs_execute.execute_run": "the same",
    "pipeline.actions.runs_finish.succeed": "the same",
    "pipeline.actions.runs_finish.fail": "the same",
    "pipeline.actions.runs_finish.alert_failure": "the product's own watch",
    "pipeline.actions.runs_sweep.sweep_runs": "a clock; the runs name who asked",
    "pipeline.actions.schedules.ensure_schedules": "the chores that every installation has, at each start",
    "pipeline.actions.schedules.run_due": "a clock; the runs name their schedule",
    "pipeline.actions.answer_messages.written": "a part of answering a stream's messages, which names who asked",
    "pipeline.actions.note_consumer.beat_consumer": "a consumer's own sign of life",
    "pipeline.actions.note_consumer.begin_consumer": "the same",
    "pipeline.actions.note_consumer.end_consumer": "the same",
    "predictions.actions.ensure_roles.ensure_roles": "the roles that every installation has, at each migration",
}

# Not asked by a person, or a part of an action that keeps the refusal.
REFUSAL_ELSEWHERE = DEED_ELSEWHERE | {
    "features.actions.add_version.add_version": "a part of ingesting and of mending rows",
    "features.actions.mend_tables.mend_tables": "mends what it finds and refuses nothing",
    "features.actions.prune.prune": "the same",
    "models_store.actions.audit.append_audit": "the audit itself",
    "models_store.actions.clear_artefacts.clear_artefacts": "clears away what it finds and refuses nothing",
    "models_store.actions.promote.concluded": "a part of promoting and approving",
    "models_store.actions.publish.published_or_warning": "answers with a warning",
    "models_store.actions.record_refusal.record_refusal": "is the record of a refusal",
    "models_store.actions.record_request.record_request": "a part of every decision",
    "predictions.actions.ensure_admin.ensure_admin": "makes one where there is none and refuses nothing",
    "predictions.actions.forget_predictions.forget_predictions": "forgets what is too old and refuses nothing",
}


def acted() -> tuple[dict[str, frozenset[str]], set[str]]:
    """Return what each action reaches that writes and is told by whom it is asked, and those that are not told."""
    found, untold = {}, set()
    for file in (file for file in python_files(*APPS) if "actions" in file.parts):
        for node in tree(file).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                names = [argument.arg for argument in node.args.args + node.args.kwonlyargs]
                item = f"{dotted(file)}.{node.name}"
                if not writes_rows(item):
                    continue
                if "actor" in names:
                    found[item] = reached(item)
                else:
                    untold.add(item)
    return found, untold


def writes_rows(item: str) -> bool:
    adapters = tuple(f"{place.removesuffix('.py').replace('/', '.')}." for place in FOREIGN_TABLES)
    parts = (part for part in reached(item) if (".actions." in part or part.startswith(adapters)) and part in known())
    return any(next(writes(ast.Module(body=[known()[part]], type_ignores=[])), None) for part in parts)


@pytest.fixture(scope="module")
def actions() -> dict[str, frozenset[str]]:
    return acted()[0]


def test_actions_are_found(actions):
    assert {"models_store.actions.promote.promote", "features.actions.ingest.ingest"} <= actions.keys()
    assert "pipeline.actions.schedules.set_schedule" in actions


def test_every_action_is_told_who_asks_or_is_asked_by_nobody():
    assert sorted(acted()[1] ^ NOBODY_ASKS.keys()) == []


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
