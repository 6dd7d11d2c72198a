"""A small site with a real model in every stage, for tests that look at the console."""

import gzip
import time
import uuid
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from django.contrib.auth.models import User
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from features.core.packed import pack
from features.ground.files import write_atomic
from features.ground.paths import var_path
from features.models import Dataset, DatasetVersion, FeatureSnapshot, FeatureView, OnlineFeature
from models_store.actions.promote import promote
from models_store.actions.verify_audit import checkpoint_audit
from models_store.models import Approval, Delivery, ModelVersion, OutboxEvent, PromotionRequest, Waiver
from pipeline.models import Alert, BatchScore, DriftReport, Run, StreamConsumer
from predictions.actions.api_keys import new_key
from predictions.models import Outcome, Prediction, StreamPosition
from tests.mlsite.console_models import COLUMNS, ESTIMATORS, MODEL, ROWS, START, register
from tests.mlsite.console_profiles import make_contracts, make_fix, make_profiles


def make_data() -> FeatureSnapshot:
    """Make a dataset with two versions, a view, a snapshot and online values."""
    dataset = Dataset.objects.create(
        name="flights",
        description="Flights out of New York, one row a flight.",
        schema=COLUMNS,
        timestamp_column="scheduled_at",
        target_column="late",
        entity_columns=["carrier"],
    )
    common = {
        "dataset": dataset,
        "first_event_at": START,
        "last_event_at": START + timedelta(days=11),
        "actor": "cli:ada",
    }
    first = DatasetVersion.objects.create(
        number=1,
        delta_version=0,
        fingerprint="a" * 64,
        rows_valid=1200,
        rows_total=1200,
        source="flights.csv",
        **common,
    )
    second = DatasetVersion.objects.create(
        number=2,
        delta_version=1,
        fingerprint="b" * 64,
        rows_valid=300,
        rows_total=ROWS,
        rows_rejected=41,
        reasons={"hour: above_max": 30, "carrier: not_allowed": 11},
        source="flights-corrupted.csv",
        **common,
    )
    make_contracts(dataset)
    make_profiles([first, second])
    make_fix(second)
    view = FeatureView.objects.create(
        name="carrier-rates",
        dataset=dataset,
        entity_columns=["carrier"],
        definition_digest="c" * 64,
        ttl_seconds=86400,
        aggregations=[{"name": "carrier_late_share_7d", "column": "late", "function": "mean", "window": "7d"}],
    )
    online = FeatureSnapshot.objects.create(
        name="carrier-rates",
        kind="online",
        dataset_version=second,
        fingerprint="d" * 64,
        rows=4,
        columns=COLUMNS[5:6],
        watermark={"store": "database"},
    )
    event_us = pa.chunked_array([pa.array([time.time_ns() // 1000])])
    (values,) = pack(pa.table({COLUMNS[5]["name"]: [0.21]}), event_us)
    for carrier in ("AA", "B6", "DL", "UA"):
        OnlineFeature.objects.create(snapshot=online, entity_key=carrier, packed=values)
    FeatureView.objects.filter(pk=view.pk).update(live_snapshot=online)
    snapshot = FeatureSnapshot.objects.create(
        name="late-arrivals", dataset_version=second, fingerprint="e" * 64, rows=ROWS, columns=COLUMNS
    )
    snapshot.views.add(view)
    snapshot.sources.add(second)
    return snapshot


def make_runs() -> list[Run]:
    """Make a run in each state a person meets."""
    now = timezone.now()
    states: list[dict[str, Any]] = [
        {"kind": "train", "state": "succeeded", "progress": 100, "step": "done", "result": {"version": f"{MODEL}@1"}},
        {"kind": "drift", "state": "succeeded", "progress": 100, "step": "done"},
        {
            "kind": "score",
            "state": "failed",
            "progress": 60,
            "error_code": "unknown_file",
            "error": "no such file: march.csv",
        },
        {"kind": "train", "state": "running", "progress": 45, "step": "fitting hist_gradient_boosting on 269,420 rows"},
        {"kind": "materialize", "state": "queued"},
    ]
    runs = []
    for at, state in enumerate(states):
        times = {
            "enqueued_at": now - timedelta(minutes=50 - 10 * at),
            "worker": "desk:4711",
            "actor": "user:ada",
            "attempt": 1,
        }
        if state["state"] != "queued":
            times["started_at"] = now - timedelta(minutes=49 - 10 * at)
        if state["state"] in ("succeeded", "failed"):
            times["finished_at"] = now - timedelta(minutes=48 - 10 * at)
        runs.append(Run.objects.create(params={"model": MODEL, "seed": 0}, **state, **times))
    return runs


def make_predictions(version: ModelVersion, count: int, role: str = "production", hours: int = 23) -> None:
    """Log predictions spread over the last hours, with outcomes for some."""
    rng, now = np.random.default_rng(version.number), timezone.now()
    names = [column["name"] for column in version.input_schema]
    made = []
    for _ in range(count):
        chance = float(rng.beta(2, 6))
        values = [0.5 if column["dtype"] == "number" else column["allowed"][0] for column in version.input_schema]
        made.append(
            Prediction(
                request_id=uuid.uuid4().hex,
                model_version=version,
                generation=1,
                role=role,
                principal="user:dispatch",
                columns=names,
                inputs=[values],
                outputs={"predictions": [int(chance > 0.5)], "probabilities": [[1 - chance, chance]]},
                latency_ms=float(rng.gamma(2.0, 0.02)),
                at=now - timedelta(hours=hours * float(rng.random()) ** 1.5),
            )
        )
    Prediction.objects.bulk_create(made, batch_size=2000)
    late = [Outcome(prediction=p, actual=int(rng.random() < 0.2), observed_at=now, known_at=now) for p in made[:20]]
    Outcome.objects.bulk_create(late)


def make_drift(version: ModelVersion, html: str, *, drifted: bool = True, run: Run | None = None) -> DriftReport:
    """Keep a report with this page."""
    name = f"reports/{uuid.uuid4()}/drift.html.gz"
    write_atomic(var_path(name), gzip.compress(html.encode()))
    now = timezone.now()
    scores = {"wind_speed_mph": 0.41 if drifted else 0.05, "hour": 0.08, "carrier": 0.02, "distance_miles": 0.01}
    return DriftReport.objects.create(
        run=run,
        model_version=version,
        window_start=now - timedelta(hours=24),
        window_end=now,
        source="prediction log",
        method="psi",
        rows_reference=ROWS,
        rows_current=800,
        dataset_drift=drifted,
        drift_share=0.25 if drifted else 0.0,
        columns={name: {"score": score, "drifted": score > 0.2} for name, score in scores.items()},
        not_measured=["carrier_late_share_7d"],
        html_path=name,
    )


def make_user(name: str = "ada", password: str = "correct horse", **more: Any) -> User:
    """Make a person who may do everything."""
    return User.objects.create_superuser(name, f"{name}@example.org", password, **more)


def make_models() -> dict[int, ModelVersion]:
    """Register three real versions of one model; the first is in production, the third no better than a guess."""
    run = Run.objects.create(kind="train", state="succeeded", progress=100, enqueued_at=timezone.now())
    snapshot = make_data()
    versions = {at: register(name, snapshot, run) for at, name in enumerate(ESTIMATORS, 1)}
    promote(f"{MODEL}@1", target_stage="production", reason="First version.", actor="user:ada")
    return versions


def make_site(page: str = "<h1>Report</h1>") -> dict[int, ModelVersion]:
    """Fill every table; version 1 is in production, 2 the canary, and 3 no better than a guess."""
    versions = make_models()
    runs = make_runs()
    promote(f"{MODEL}@2", target_stage="canary", percent=10, reason="Try the trees.", actor="user:ada")
    make_predictions(versions[1], 600)
    make_predictions(versions[2], 70, role="canary")
    make_drift(versions[1], page, drifted=False)
    make_drift(versions[1], page, run=runs[1])
    BatchScore.objects.create(
        model_version=versions[1], input="october.parquet", output="scores.parquet", rows=28889, seconds=1.4
    )
    StreamConsumer.objects.create(
        name="flights-1", model=MODEL, worker="here:1", lag=3, heartbeat_at=timezone.now(), started_at=timezone.now()
    )
    StreamPosition.objects.create(prediction_id=uuid.uuid4(), topic="flights", partition=0, offset=1, at=timezone.now())
    Alert.objects.create(
        key="drift:late-arrivals",
        title="late-arrivals has drifted",
        severity="critical",
        last_at=timezone.now(),
        detail="wind_speed_mph moved: 0.41 against a threshold of 0.2.",
        run=runs[1],
    )
    nightly = CrontabSchedule.objects.create(minute="15", hour="3")
    PeriodicTask.objects.create(name="nightly drift", task="pipeline.drift", crontab=nightly)
    waiting = PromotionRequest.objects.create(
        version=versions[2],
        target_stage="production",
        reason="A week as canary without a complaint.",
        requester="user:ada",
        evidence_digest="0" * 64,
        expected_generation=2,
    )
    Approval.objects.create(
        request=waiting, requester="user:ada", approver="user:grace", reason="Agreed.", evidence_digest="0" * 64
    )
    Waiver.objects.create(
        request=waiting, gate="calibration_error", actor="user:ada", reason="Known.", observed="0.2", threshold="0.1"
    )
    Delivery.objects.create(event=OutboxEvent.objects.latest("id"), target="slack", next_at=timezone.now())
    new_key("etl", roles=["user"], models=[MODEL], days=30, actor="user:ada")
    checkpoint_audit()
    return versions
