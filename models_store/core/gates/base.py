"""What a gate is given, and what it answers."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from features.ground.errors import bounded
from models_store.core.gates.known import Traffic, TrainedOn
from models_store.core.paired import PairedLoss
from models_store.core.quality import is_lower_better

MAX_SHOWN = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtefactCheck:
    """Whether the artefact could be trusted.

    Attributes
    ----------
    digest : str
        Digest of the manifest.
    error : str
        Why it was refused; empty if it passed every check.
    """

    digest: str
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SmokeCheck:
    """What the model answered to a few rows that fit its schema.

    Attributes
    ----------
    rows : int
        Rows it was asked.
    finite : bool
        Whether it answered all of them without NaN or infinity.
    error : str
        Why it did not answer; empty if it did.
    row_ms : float or None
        Median time of the answer to one row, in milliseconds; None if it did not answer.
    """

    rows: int
    finite: bool
    error: str = ""
    row_ms: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Champion:
    """The version in production, which the candidate is held against.

    Attributes
    ----------
    number : int
        Its version number.
    snapshot_id : int or None
        What it was trained and tested on.
    metrics, input_schema, output_schema
        As its row holds them.
    """

    number: int
    snapshot_id: int | None
    metrics: Mapping[str, Any]
    input_schema: Sequence[Mapping[str, Any]]
    output_schema: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Everything the gates may look at; gathered before any lock is taken.

    Attributes
    ----------
    spec : str
        The version, as MODEL@N.
    task, primary_metric : str
        Of the model.
    snapshot_id : int or None
        What the version was trained and tested on.
    metrics, input_schema, output_schema
        As the version's row holds them.
    artefact : ArtefactCheck
        Whether its bytes and signature hold.
    smoke : SmokeCheck
        Whether it answers.
    champion : Champion or None
        The version in production; None if there is none, or it is this one.
    paired : PairedLoss or None
        Both on the rows both were tested on; None where there is no champion.
    size_bytes : int
        All files of the artefact.
    trained_on : TrainedOn or None
        What is known of its data; None where it was made elsewhere.
    traffic : Traffic
        What it has answered in shadow or as canary.
    as_of : datetime
        When the evidence was gathered.
    card : mapping of str to str
        What people have written on the model's card, by part.
    """

    spec: str
    task: str
    primary_metric: str
    snapshot_id: int | None
    metrics: Mapping[str, Any]
    input_schema: Sequence[Mapping[str, Any]]
    output_schema: Mapping[str, Any]
    artefact: ArtefactCheck
    smoke: SmokeCheck
    champion: Champion | None = None
    paired: PairedLoss | None = None
    size_bytes: int = 0
    trained_on: TrainedOn | None = None
    traffic: Traffic = field(default_factory=Traffic)
    as_of: datetime
    card: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class GateOutcome:
    """What one gate saw and decided.

    Attributes
    ----------
    gate : str
        Its name.
    passed : bool
        Its decision.
    observed, threshold : str
        What was seen and what was asked for, at most 200 characters each.
    evidence : mapping
        The details, JSON-compatible.
    moving : bool
        Whether what is observed changes by itself, so that an approval is bound to the decision alone.
    """

    gate: str
    passed: bool
    observed: str
    threshold: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    moving: bool = False


Settings = Mapping[str, Any]
"""A gate's own part of the policy."""

Gate = Callable[[Evidence, Settings], GateOutcome]


def outcome(gate: str, passed: bool, observed: str, threshold: str, **evidence: Any) -> GateOutcome:
    """Return an outcome whose texts fit their columns.

    Parameters
    ----------
    gate : str
        Name of the gate.
    passed : bool
        Its decision.
    observed, threshold : str
        Cut at 200 characters.
    **evidence : Any
        The details.

    Returns
    -------
    GateOutcome
        The outcome.
    """
    return GateOutcome(
        gate=gate,
        passed=passed,
        observed=bounded(observed, MAX_SHOWN),
        threshold=bounded(threshold, MAX_SHOWN),
        evidence=evidence,
    )


def measured(metrics: Mapping[str, Any], part: str, metric: str) -> float | None:
    """Return a metric of one part of the evaluation.

    Parameters
    ----------
    metrics : mapping
        A version's metrics.
    part : str
        `test`, `baseline` or `linear_baseline`.
    metric : str
        Name of the metric.

    Returns
    -------
    float or None
        Its value; None where it was not measured or is not finite.
    """
    value = (metrics.get(part) or {}).get(metric)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def better_than(gate: str, evidence: Evidence, part: str, margin: float) -> GateOutcome:
    """Ask that the primary metric beat the same metric of a simpler model.

    Parameters
    ----------
    gate : str
        Name of the gate that asks.
    evidence : Evidence
        What is known.
    part : str
        Where the simpler model's metrics are.
    margin : float
        By how much, in the metric's unit; 0.0 means any improvement.

    Returns
    -------
    GateOutcome
        Failed where either was not measured.
    """
    metric = evidence.primary_metric
    own, simple = measured(evidence.metrics, "test", metric), measured(evidence.metrics, part, metric)
    lower = is_lower_better(metric)
    wanted = f"{metric} {'below' if lower else 'above'} the {part.replace('_', ' ')}'s"
    if own is None or simple is None:
        missing = "the version" if own is None else f"the {part.replace('_', ' ')}"
        return outcome(gate, False, f"{missing} has no {metric}", wanted)
    gain = simple - own if lower else own - simple
    passed = gain > 0 and gain >= margin
    bound = f"{wanted} {simple:.6g}" + (f" by {margin:g}" if margin else "")
    return outcome(gate, passed, f"{metric} {own:.6g}", bound, metric=metric, own=own, other=simple, gain=gain)
