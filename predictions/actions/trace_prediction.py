"""The whole path of one prediction."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from features.models import FeatureSnapshot
from predictions.adapters.reads import read_prediction
from predictions.adapters.route_key import route_key
from predictions.core.routing import route_fault
from predictions.models import Outcome, Prediction


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """What came in, where its features came from, who answered and why, what went out, what came true."""

    prediction_id: UUID
    request: dict[str, Any]
    inputs: dict[str, Any]
    features: list[dict[str, Any]]
    version: dict[str, Any]
    route: dict[str, Any]
    outputs: dict[str, Any]
    beside: list[dict[str, Any]]
    outcomes: list[dict[str, Any]]


def trace_prediction(key: UUID) -> Trace:
    """Return the path of a prediction from its input to its outcome.

    Parameters
    ----------
    key : UUID
        Its id.

    Returns
    -------
    Trace
        `beside` holds what the shadow, or the live version, answered to the same request.

    Raises
    ------
    UnknownPredictionError
        If it is not in the log.
    """
    return trace_of(read_prediction(key))


def trace_of(row: Prediction) -> Trace:
    """Return the path of a prediction that is at hand.

    Parameters
    ----------
    row : Prediction
        The prediction.

    Returns
    -------
    Trace
        As `trace_prediction`.
    """
    asked = ("request_id", "principal", "source", "at", "latency_ms", "rows", "topic", "partition", "offset")
    return Trace(
        prediction_id=row.pk,
        request={name: getattr(row, name) for name in asked if getattr(row, name) is not None},
        inputs={"columns": row.columns, "rows": row.inputs, "entities": row.entity_keys},
        features=_features(row),
        version=_version(row),
        route=_route(row),
        outputs=row.outputs,
        beside=[_short(other) for other in beside(row)],
        outcomes=[_outcome(outcome) for outcome in row.outcomes.order_by("row", "known_at")],
    )


def beside(row: Prediction) -> list[Prediction]:
    """Return the shadow's answer to the same request, or the live one that a shadow's stands beside.

    Parameters
    ----------
    row : Prediction
        Either of them.

    Returns
    -------
    list of Prediction
        The others.
    """
    pair = Prediction.objects.select_related("model_version__model").filter(request_id=row.request_id)
    if row.role == Prediction.Role.SHADOW:
        return list(pair.filter(pk=row.route.get("beside")))
    # A client may send one request id twice: the shadow's row names the answer it stands beside.
    shadows = pair.filter(role=Prediction.Role.SHADOW)[:100]
    return [other for other in shadows if other.route.get("beside") == str(row.pk)]


def _features(row: Prediction) -> list[dict[str, Any]]:
    known = FeatureSnapshot.objects.in_bulk(list(row.snapshots.values()))
    return [_snapshot(view, number, known.get(number)) for view, number in sorted(row.snapshots.items())]


def _snapshot(view: str, number: int, found: FeatureSnapshot | None) -> dict[str, Any]:
    body: dict[str, Any] = {"view": view, "snapshot": number}
    if found is None:
        return body | {"pruned": True}
    return body | {"as_of": found.as_of, "fingerprint": found.fingerprint, "rows": found.rows}


def _version(row: Prediction) -> dict[str, Any]:
    version = row.model_version
    return {
        "model": version.model.name,
        "version": version.number,
        "generation": row.generation,
        "engine": version.engine,
        "digest": version.manifest_digest,
        "snapshot": version.snapshot_id,
        "run": version.run_id,
    }


def _route(row: Prediction) -> dict[str, Any]:
    body = {"role": str(row.role), **row.route} | ({"fallback": row.fallback} if row.fallback else {})
    if row.role not in (Prediction.Role.PRODUCTION, Prediction.Role.CANARY):
        return body
    fault = route_fault(
        row.route,
        row.role,
        entities=row.entity_keys,
        prediction_id=row.pk,
        model=row.model_version.model.name,
        key=route_key(),
        fallback=row.fallback,
    )
    return body | {"right": not fault} | ({"why": fault} if fault else {})


def _short(row: Prediction) -> dict[str, Any]:
    version = {"version": row.model_version.number, "role": str(row.role)}
    return {"prediction_id": row.pk, **version, "outputs": row.outputs, "latency_ms": row.latency_ms}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {name: getattr(outcome, name) for name in ("row", "actual", "observed_at", "known_at", "actor")}
