"""From a clone to a served model whose answer changes when the other version is promoted."""

import csv
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from sklearn.datasets import load_breast_cancer

from tests.smoke.product import SWAP_SECONDS, Product

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(600)]


def write_table(path: Path) -> list[list[float]]:
    """Write scikit-learn's breast cancer data as CSV and return the first rows' features."""
    data = load_breast_cancer()
    names = [name.replace(" ", "_") for name in data.feature_names]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "diagnosis"])
        writer.writerows(
            [*map(float, row), str(data.target_names[label])] for row, label in zip(data.data, data.target, strict=True)
        )
    return [list(map(float, row)) for row in data.data[:3]]


def predict(client: httpx.Client, token: str, rows: list[list[float]]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    response = client.post("/api/v1/models/tumour/predict", json={"data": rows}, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def predict_until(version: int, client: httpx.Client, token: str, rows: list[list[float]]) -> dict[str, Any]:
    """Predict until this version answers; every answer on the way must be a good one."""
    deadline = time.monotonic() + SWAP_SECONDS
    while time.monotonic() < deadline:
        answer = predict(client, token, rows)
        if str(answer["model"]["version"]) == str(version):
            return answer
        time.sleep(0.05)
    raise AssertionError(f"version {version} did not answer within {SWAP_SECONDS} s; last {answer['model']}")


def train(product: Product, strength: str) -> float:
    """Train the next version with this regularisation and return its test loss."""
    options = ("--dataset", "tumours", "--estimator", "logistic_regression", "--param", f"C={strength}")
    return product.manage("train", "tumour", *options)["metrics"]["test"]["log_loss"]


def promote(product: Product, version: int) -> dict[str, Any]:
    return product.manage("promote", f"tumour@{version}", "--stage", "production", "--reason", "the smoke test asks")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Product:
    return Product(tmp_path_factory.mktemp("product"))


def test_answer_changes_when_the_other_version_is_promoted(product, tmp_path):
    rows = write_table(tmp_path / "tumours.csv")
    product.migrate()
    ingested = product.manage("ingest", "tumours", str(tmp_path / "tumours.csv"), "--target", "diagnosis")
    assert (ingested["rows_valid"], ingested["rows_rejected"], ingested["created"]) == (569, 0, True)
    losses = {number: train(product, strength) for number, strength in ((1, "0.3"), (2, "1.0"))}
    # The gates refuse a version worse than the one in production, so the weaker one goes first.
    better, worse = sorted(losses, key=losses.__getitem__)
    assert promote(product, worse)["state"] == "applied"
    token = product.manage("issue_token", "smoke", "--role", "user")["token"]

    with product.served() as client:
        assert product.is_alive()
        assert client.get("/api/v1/health").json()["model"]["name"] == "tumour"
        assert client.post("/api/v1/models/tumour/predict", json={"data": rows}).status_code == 401
        first = predict_until(worse, client, token, rows)
        assert set(first["predictions"]) <= {"malignant", "benign"}
        assert first["timestamp"].endswith("Z")

        assert promote(product, better)["state"] == "applied"
        second = predict_until(better, client, token, rows)
        assert second["probabilities"] != first["probabilities"]
        assert "http_requests_total" in client.get("/api/v1/metrics").text

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{product.port}/", timeout=5)
    assert product.untracked() == []
