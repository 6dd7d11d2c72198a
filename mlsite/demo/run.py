"""Run the demo, or say what an earlier one made."""

import time

from features.ground.paths import var_path
from features.ground.progress import Report
from mlsite.demo.state import MODEL, DemoState, load_state, save_state
from mlsite.demo.steps import CANARY, PRODUCTION, STEPS, Demo
from models_store.models import ModelVersion


def run_demo(*, rows: int | None, actor: str, report: Report) -> DemoState:
    """Fill the worked example; each step is safe to repeat after an interruption.

    Parameters
    ----------
    rows : int, optional
        Use about this many flights; all of them when not given.
    actor : str
        Who asks.
    report : Report
        Takes a percent and a step.

    Returns
    -------
    DemoState
        What was made, now or by an earlier run that finished.
    """
    if (earlier := load_state()) and ModelVersion.objects.filter(model__name=MODEL, stage="production").exists():
        return earlier
    started = time.monotonic()
    demo = Demo(actor=actor, rows=rows, folder=var_path("demo", "files"), report=report)
    for percent, title, step in STEPS:
        report(percent, title)
        step(demo)
    state = _state(demo, time.monotonic() - started)
    save_state(state)
    report(100, "done")
    return state


def _state(demo: Demo, seconds: float) -> DemoState:
    production, canary = demo.versions[PRODUCTION], demo.versions[CANARY]
    baselines = {f"{name}": production.metrics[name] for name in ("baseline", "linear_baseline")}
    return DemoState(
        model=MODEL,
        production=production.number,
        canary=canary.number,
        rows=demo.counts,
        metrics={PRODUCTION: production.metrics["test"], CANARY: canary.metrics["test"], **baselines},
        drift=demo.results["drift"],
        traffic=demo.results["traffic"],
        stream=demo.results["stream"],
        sample=_sample(demo),
        seconds=round(seconds, 1),
    )


def _sample(demo: Demo) -> dict[str, object]:
    names = [column["name"] for column in demo.versions[PRODUCTION].input_schema]
    row = demo.live.select(names).slice(0, 1).to_pylist()[0]
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}
