"""Contracts, profiles and mended rows of the small site's dataset."""

from typing import Any

import numpy as np
from django.utils import timezone

from features.models import ColumnProfile, ContractVersion, Dataset, DatasetVersion, QuarantineFix
from tests.mlsite.console_models import COLUMNS, flights

RULES = {"freshness": {"max_age": "2d", "on_break": "warn"}, "row_count": {"min": 100, "on_break": "fail"}}


def make_contracts(dataset: Dataset) -> None:
    """Make the contract that was inferred and approved, and an edit of it."""
    common = {"dataset": dataset, "columns": COLUMNS, "actor": "cli:ada"}
    ContractVersion.objects.create(
        number=1, state="approved", approved_by="user:grace", approved_at=timezone.now(), reason="Read it.", **common
    )
    edit = {"path": "hour.max", "before": None, "after": 23}
    ContractVersion.objects.create(
        number=2,
        changes=[edit],
        rules=RULES,
        reason="A day has 24 hours.",
        quality_policy={"max_rejected": 0.05},
        **common,
    )
    Dataset.objects.filter(pk=dataset.pk).update(contract_number=2, rules=RULES, quality_policy={"max_rejected": 0.05})


def make_profiles(versions: list[DatasetVersion]) -> None:
    """Profile real values; wind is stronger and more often missing from version to version, a carrier is new."""
    table = flights(600)
    for at, version in enumerate(versions):
        for position, column in enumerate(COLUMNS):
            values = table[column["name"]].to_numpy(zero_copy_only=False)
            if column["name"] == "wind_speed_mph":
                values = values * (1 + 0.6 * at)
            if column["name"] == "carrier" and not at:
                values = np.where(values == "UA", "AA", values)
            missing = 60 * at if column["name"] == "wind_speed_mph" else 0
            ColumnProfile.objects.create(
                dataset_version=version,
                position=position,
                column=column["name"],
                dtype=column["dtype"],
                rows=600,
                missing=missing,
                distinct=len(np.unique(values)),
                **measured(values, column["dtype"]),
            )


def measured(values: Any, dtype: str) -> dict[str, Any]:
    """Return what a profile holds of these values."""
    if dtype == "string":
        found, counts = np.unique(values, return_counts=True)
        order = np.argsort(-counts)
        kept = {"values": [str(value) for value in found[order]], "counts": [int(count) for count in counts[order]]}
        return {"minimum": str(found[0]), "maximum": str(found[-1]), "histogram": {**kept, "other": 0}}
    counts, edges = np.histogram(values.astype("int64" if dtype == "timestamp" else "float64"), bins=20)
    bins = [int(count) for count in counts]
    if dtype == "timestamp":
        shown = [str(np.datetime64(int(edge), "us")) for edge in edges]
        return {"minimum": shown[0], "maximum": shown[-1], "histogram": {"edges": shown, "counts": bins}}
    return {
        "minimum": f"{values.min():g}",
        "maximum": f"{values.max():g}",
        "mean": float(values.mean()),
        "deviation": float(values.std()),
        "quantiles": {str(q): float(np.quantile(values, q)) for q in (0.05, 0.5, 0.95)},
        "histogram": {"edges": [float(edge) for edge in edges], "counts": bins},
    }


def make_fix(version: DatasetVersion) -> None:
    """Say that one refused row came back."""
    QuarantineFix.objects.create(rejected_in=version, row=7, fixed_in=version)
