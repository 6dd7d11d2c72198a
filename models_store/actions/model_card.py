"""Gather a version's model card from what its rows hold."""

from collections.abc import Mapping
from typing import Any

from models_store.core.card import WRITTEN, card_markdown, missing_parts
from models_store.core.gates.base import measured
from models_store.core.quality import HIGHER_IS_BETTER, LOWER_IS_BETTER
from models_store.models import AuditEntry, GateResult, ModelVersion, RegisteredModel, Waiver

PARTS = ("test", "linear_baseline", "baseline")


def model_card(version: ModelVersion) -> str:
    """Return a version's model card as a Markdown document.

    Parameters
    ----------
    version : ModelVersion
        With its model.

    Returns
    -------
    str
        Purpose, use, limits and owner as people wrote them; data, metrics, slices, gates and artefact as recorded.
    """
    return card_markdown(card_of(version))


def card_of(version: ModelVersion) -> dict[str, Any]:
    """Return a version's model card in its JSON form.

    Parameters
    ----------
    version : ModelVersion
        With its model.

    Returns
    -------
    dict
        The written parts are the model's present ones; everything else is the version's.
    """
    model = version.model
    written = written_parts(model)
    return {
        "model": model.name,
        "version": version.number,
        "task": str(model.task),
        "stage": str(version.stage),
        "written": written,
        "missing": missing_parts(written),
        "trained_on": _data(version),
        "rows": version.metrics.get("rows") or {},
        "metrics": _metrics(version),
        "slices": version.metrics.get("slices") or {},
        "gates": GateResult.objects.newest_of(version).as_rows(),
        "waivers": list(Waiver.objects.filter(request__version=version).values("gate", "actor", "reason")),
        "inputs": version.input_schema,
        "training": {
            "made": f"{version.created_at:%Y-%m-%d %H:%M} UTC by {version.actor}",
            "estimator": version.estimator,
            "served_by": version.engine,
            "params": version.params,
            "code": version.code_version,
            "environment": version.environment_digest,
        },
        "artefact": {"digest": version.manifest_digest, "size_bytes": version.size_bytes, "signed_by": version.key_id},
    }


def written_parts(model: RegisteredModel) -> dict[str, str]:
    """Return what people have said of a model.

    Parameters
    ----------
    model : RegisteredModel
        Any.

    Returns
    -------
    dict of str to str
        Every part, empty where nobody wrote it.
    """
    return {part: getattr(model, part) for part in WRITTEN}


def card_history(model: RegisteredModel) -> list[AuditEntry]:
    """Return who changed a model's card, newest first.

    Parameters
    ----------
    model : RegisteredModel
        Any.

    Returns
    -------
    list of AuditEntry
        Each with the parts before and after.
    """
    entries = AuditEntry.objects.filter(action="edit_card", object_type="registered_model", object_id=model.name)
    return list(entries.order_by("-id"))


def _data(version: ModelVersion) -> dict[str, Any]:
    snapshot = version.snapshot
    if snapshot is None:
        return {}
    source = snapshot.dataset_version
    return {
        "dataset": str(source),
        "dataset_fingerprint": source.fingerprint,
        "about": source.dataset.description,
        "snapshot": f"{snapshot.name} ({snapshot.pk})",
        "snapshot_fingerprint": snapshot.fingerprint,
        "rows": snapshot.rows,
        "views": sorted(map(str, snapshot.views.all())),
        "from": source.first_event_at and source.first_event_at.isoformat(),
        "to": source.last_event_at and source.last_event_at.isoformat(),
        "as_known_at": snapshot.as_of and snapshot.as_of.isoformat(),
    }


def _metrics(version: ModelVersion) -> list[dict[str, Any]]:
    metrics = version.metrics
    names = {name for part in PARTS for name in metrics.get(part) or {}}
    # What decides stands first, the rest by name.
    ordered = sorted(names, key=lambda name: (name != version.model.primary_metric, name))
    return [
        {
            "metric": name,
            "better": "lower" if name in LOWER_IS_BETTER else "higher" if name in HIGHER_IS_BETTER else None,
            "interval": _interval(metrics, name),
            **{part: measured(metrics, part, name) for part in PARTS},
        }
        for name in ordered
    ]


def _interval(metrics: Mapping[str, Any], name: str) -> list[float] | None:
    ends = ((metrics.get("intervals") or {}).get("test") or {}).get(name)
    return list(ends) if ends else None
