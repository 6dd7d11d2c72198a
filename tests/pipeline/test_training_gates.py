"""What a training hands to the gates: its test rows, its data, its leakage check."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.actions.ingest import ingest
from features.core.schema import ColumnRoles
from models_store.actions.change_policy import change_policy
from models_store.actions.evaluate_gates import evaluate_gates
from models_store.actions.promote import promote
from models_store.adapters.artefacts import read_artefact
from models_store.core.gates import GateOutcome
from models_store.core.judged import FILE_NAME, parse_judged
from models_store.models import ModelVersion
from pipeline.actions.train import TrainRequest, train
from tests.pipeline.training_data import flights

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = "cli:ann"
GATES = ["not_worse_on_same_rows", "slices_not_worse", "data_fresh", "leakage_report_clean", "max_size", "max_latency"]


def trips() -> pa.Table:
    """Return flights of which no two are the same."""
    table, _ = flights(1300)
    return table.append_column("gust", pa.array(np.random.default_rng(5).normal(size=1300)))


def ingested(folder: Path, table: pa.Table, name: str = "1", **how: Any) -> None:
    pq.write_table(table, folder / f"{name}.parquet")
    ingest("flights", [folder / f"{name}.parquet"], actor=ACTOR, **how)


def trained(**request: Any) -> ModelVersion:
    given = {"model": "delays", "dataset": "flights", "estimator": "logistic_regression", "slices": ("carrier",)}
    done = train(TrainRequest(**given | request), actor=ACTOR)
    return ModelVersion.objects.select_related("model").get(number=done.version)


def said(version: ModelVersion) -> dict[str, GateOutcome]:
    return {found.gate: found for found in evaluate_gates(str(version), actor=ACTOR)}


@pytest.fixture
def first(var_dir: Path, tmp_path: Path) -> ModelVersion:
    """Return a version in production, under a policy that asks all there is to ask of a training."""
    ingested(tmp_path, trips().slice(0, 1200), roles=ColumnRoles(target="late", timestamp="departs"))
    version = trained()
    settings = {"data_fresh": {"days": 36_500}, "slices_not_worse": {"min_rows": 50, "tolerance": 2}}
    policy = {"stages": {"production": GATES}, "settings": settings}
    change_policy("delays", policy, actor="user:root", reason="all of it")
    promote(str(version), target_stage="production", reason="first", actor="user:ann")
    return version


def test_next_training_is_held_against_production_on_the_same_rows(first: ModelVersion) -> None:
    kept = parse_judged(read_artefact(first).files[FILE_NAME])
    assert len(kept.keys) == first.metrics["rows"]["test"]
    assert kept.losses().mean() == pytest.approx(first.metrics["test"]["log_loss"])
    again = said(trained(seed=1))["not_worse_on_same_rows"]
    assert (again.passed, again.evidence["rows"]) == (True, len(kept.keys))
    dull = said(trained(estimator="random_forest", params={"max_depth": 1, "n_estimators": 1}))
    assert not dull["not_worse_on_same_rows"].passed


def test_rows_that_came_since_do_not_change_the_keys_of_those_before(first: ModelVersion, tmp_path: Path) -> None:
    ingested(tmp_path, trips().slice(1200), "2")
    before = parse_judged(read_artefact(first).files[FILE_NAME])
    after = parse_judged(read_artefact(trained(test_size=0.25)).files[FILE_NAME])
    common = np.intersect1d(before.keys, after.keys)
    assert len(common) > len(before.keys) / 2


def test_training_says_how_new_its_data_is_and_that_it_was_checked(first: ModelVersion) -> None:
    found = said(first)
    newest = first.snapshot.dataset_version.last_event_at
    assert found["data_fresh"].observed == f"newest event of flights@1: {newest:%Y-%m-%d %H:%M} UTC"
    assert found["leakage_report_clean"].observed == "nothing was found that had to be accepted"
    assert found["slices_not_worse"].evidence["slices"] >= 1
    assert found["max_size"].evidence["bytes"] == first.size_bytes


def test_version_keeps_what_it_was_made_of(first: ModelVersion) -> None:
    data = first.provenance["data"]
    source = first.snapshot.dataset_version
    assert data["datasets"] == [{"version": "flights@1", "fingerprint": source.fingerprint, "rows": 1200}]
    assert data["snapshot"]["fingerprint"] == first.snapshot.fingerprint
    assert first.provenance["files"][FILE_NAME]["size"] == len(read_artefact(first).files[FILE_NAME])
    assert read_artefact(first).manifest["provenance"]["code"] == first.provenance["code"]
