"""Evaluate a version's gates and keep what they said."""

import uuid
from collections.abc import Sequence

from django.db import transaction

from features.ground.audit import audited_refusals
from features.ground.errors import bounded
from models_store.actions.audit import append_audit
from models_store.actions.evidence import gather_evidence
from models_store.core.gates import GateOutcome, evaluate
from models_store.core.policy import STAGES, parse_policy
from models_store.core.spec import parse_version
from models_store.errors import BadPromotionError
from models_store.models import GateResult, ModelVersion, RegisteredModel


def evaluate_gates(spec: str, *, target_stage: str = "production", actor: str) -> list[GateOutcome]:
    """Evaluate the gates that stand before a stage, as a promotion would, and store the results.

    Parameters
    ----------
    spec : str
        The version, as MODEL@N.
    target_stage : str
        production, canary or shadow.
    actor : str
        Who asks.

    Returns
    -------
    list of GateOutcome
        One for each gate of the model's policy.

    Raises
    ------
    UnknownModelError, UnknownVersionError, BadSpecError
        If the version is not there.
    BadPromotionError
        If no gates stand before such a stage.
    """
    with audited_refusals(
        actor=actor,
        action="evaluate_gates",
        object_type="model_version",
        object_id=spec,
        asked={"target_stage": target_stage},
    ):
        if target_stage not in STAGES:
            raise BadPromotionError(f"gates stand before {', '.join(STAGES)}, got {bounded(target_stage)!r}")
        version = ModelVersion.objects.resolve(str(parse_version(spec)))
        gathered = gather_evidence(version)
        with transaction.atomic(durable=True):
            model = RegisteredModel.objects.select_for_update().get(pk=version.model_id)
            policy = parse_policy(model.policy, model.task)
            outcomes = evaluate(policy.gates(target_stage), gathered.evidence, policy.settings)
            store_outcomes(version, target_stage, outcomes)
            append_audit(
                actor=actor,
                action="evaluate_gates",
                object_type="model_version",
                object_id=str(version),
                after={"target_stage": target_stage, "failed": [found.gate for found in outcomes if not found.passed]},
            )
    return outcomes


def store_outcomes(version: ModelVersion, target_stage: str, outcomes: Sequence[GateOutcome]) -> uuid.UUID:
    """Store one evaluation, inside the caller's transaction.

    Parameters
    ----------
    version : ModelVersion
        The version that was looked at.
    target_stage : str
        The stage it would take; a rollback's gates stand before production.
    outcomes : sequence of GateOutcome
        What the gates said.

    Returns
    -------
    UUID
        The evaluation the results share.
    """
    evaluation = uuid.uuid4()
    stage = "production" if target_stage == "rollback" else target_stage
    GateResult.objects.bulk_create(
        GateResult(
            version=version,
            target_stage=stage,
            evaluation=evaluation,
            gate=found.gate,
            passed=found.passed,
            observed=found.observed,
            threshold=found.threshold,
            evidence=dict(found.evidence),
        )
        for found in outcomes
    )
    return evaluation
