"""The gates: one file each; adding one is a file, its name in this list, and a test."""

from collections.abc import Mapping, Sequence
from typing import Any

from models_store.core.gates import (
    artefact_verified,
    better_than_baseline,
    better_than_linear,
    calibration_error,
    data_fresh,
    leakage_report_clean,
    max_latency,
    max_size,
    minimum_traffic,
    model_card_complete,
    not_worse_on_same_rows,
    not_worse_than_champion,
    primary_metric,
    signature_compatible,
    slices_not_worse,
    smoke_prediction_finite,
)
from models_store.core.gates.base import Evidence, Gate, GateOutcome
from models_store.core.gates.settings import Setting

__all__ = ["GATES", "SETTINGS", "Evidence", "Gate", "GateOutcome", "evaluate"]

_MODULES = (
    artefact_verified,
    primary_metric,
    better_than_baseline,
    better_than_linear,
    not_worse_than_champion,
    not_worse_on_same_rows,
    slices_not_worse,
    calibration_error,
    leakage_report_clean,
    data_fresh,
    max_size,
    max_latency,
    minimum_traffic,
    model_card_complete,
    signature_compatible,
    smoke_prediction_finite,
)
GATES: Mapping[str, Gate] = {gate.NAME: gate.evaluate for gate in _MODULES}
SETTINGS: Mapping[str, Mapping[str, Setting]] = {
    gate.NAME: gate.SETTINGS for gate in _MODULES if hasattr(gate, "SETTINGS")
}
"""What may be set of each gate that has settings."""


def evaluate(names: Sequence[str], evidence: Evidence, settings: Mapping[str, Mapping[str, Any]]) -> list[GateOutcome]:
    """Ask the named gates, in order.

    Parameters
    ----------
    names : sequence of str
        Keys of `GATES`.
    evidence : Evidence
        What they may look at.
    settings : mapping
        Each gate's own settings by its name.

    Returns
    -------
    list of GateOutcome
        One for each name; a failed gate does not stop the others.
    """
    return [GATES[name](evidence, settings.get(name, {})) for name in names]
