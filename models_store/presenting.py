"""Models and versions as the JSON objects every edge answers with."""

from dataclasses import asdict
from typing import Any

from models_store.core.experiments import Experiment, Trained, side_by_side
from models_store.models import GateResult, ModelVersion, PromotionRequest, RegisteredModel, Waiver


def model_summary(model: RegisteredModel) -> dict[str, Any]:
    """Return one line of a list of models; needs `with_serving`."""
    serving = {version.stage: version.number for version in model.serving_versions}  # type: ignore[attr-defined]  # set by with_serving
    return {
        "name": model.name,
        "task": model.task,
        "primary_metric": model.primary_metric,
        "owner": model.owner,
        "generation": model.generation,
        "production": serving.get("production"),
        "canary": serving.get("canary"),
        "shadow": serving.get("shadow"),
        "canary_percent": model.canary_percent,
        "created_at": model.created_at,
    }


def version_summary(version: ModelVersion) -> dict[str, Any]:
    """Return one line of a list of versions."""
    return {
        "version": version.number,
        "stage": str(version.stage),
        "digest": version.manifest_digest,
        "metrics": version.metrics.get("test", {}),
        "estimator": version.estimator,
        "engine": version.engine,
        "created_at": version.created_at,
    }


def version_detail(version: ModelVersion) -> dict[str, Any]:
    """Return everything a person or a program asks of one version."""
    return {
        "name": version.model.name,
        **version_summary(version),
        "metrics": version.metrics,
        "engine_reason": version.engine_reason,
        "gates": GateResult.objects.newest_of(version).as_rows(),
        "waivers": [
            {**waiver_summary(waiver), "request": waiver.request_id}
            for waiver in Waiver.objects.filter(request__version=version)
        ],
        "lineage": {
            "snapshot": version.snapshot_id,
            "run": version.run_id,
            "code_version": version.code_version,
            "environment_digest": version.environment_digest,
            "provenance": version.provenance,
            "params": version.params,
            "actor": version.actor,
        },
        "schema": {"inputs": version.input_schema, "outputs": version.output_schema},
        "signature": {"key_id": version.key_id, "value": version.signature, "size_bytes": version.size_bytes},
    }


def experiments(model: RegisteredModel, last: int = 50) -> list[Experiment]:
    """Return a model's newest versions side by side, the newest first."""
    return side_by_side(
        [
            Trained(
                version=version.number,
                stage=str(version.stage),
                estimator=version.estimator,
                params=version.params,
                metrics=version.metrics,
                snapshot=version.snapshot_id,
            )
            for version in model.versions.order_by("-number")[:last]
        ]
    )


def experiments_detail(model: RegisteredModel, last: int = 50) -> dict[str, Any]:
    """Return the same as every edge answers it."""
    return {
        "model": model.name,
        "primary_metric": model.primary_metric,
        "experiments": [asdict(one) for one in experiments(model, last)],
    }


def request_summary(request: PromotionRequest) -> dict[str, Any]:
    """Return one promotion request; needs `presented`."""
    return {
        "request": request.pk,
        "state": str(request.state),
        "version": str(request.version),
        "target_stage": str(request.target_stage),
        "percent": request.percent,
        "requester": request.requester,
        "reason": request.reason,
        "evidence_digest": request.evidence_digest,
        "expected_generation": request.expected_generation,
        "not_before": request.not_before,
        "expires_at": request.expires_at,
        "created_at": request.created_at,
        "decided_at": request.decided_at,
        "refusal": request.refusal,
        "approvals": [
            {"approver": word.approver, "approved": word.approved, "reason": word.reason, "at": word.created_at}
            for word in request.approvals.all()
        ],
        "waivers": [waiver_summary(waiver) for waiver in request.waivers.all()],
    }


def waiver_summary(waiver: Waiver) -> dict[str, Any]:
    """Return a waived gate: who took it on themselves, and why."""
    names = ("gate", "actor", "reason", "observed", "threshold")
    return {**{name: getattr(waiver, name) for name in names}, "at": waiver.created_at}
