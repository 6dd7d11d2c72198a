"""The real clients of three ecosystems, unmodified, against the served product: the same bits as our own dialect."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlsite.config.schema import ROOT
from tests.predictions.dialects import ROWS
from tests.served import Server, Site

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]
PYTHON = ROOT / ".venv-clients/bin/python"


def run(script: str, *arguments: str) -> Any:
    command = [str(PYTHON), str(Path(__file__).with_name(script)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def ours(server: Server, site: Site, model: str = "tiny") -> Any:
    headers = {"Authorization": f"Bearer {site.tokens['user']}"}
    answer = httpx.post(f"{server.base}/api/v1/models/{model}/predict", json={"data": ROWS}, headers=headers).json()
    return {name: answer[name] for name in ("predictions", "probabilities") if name in answer}


def test_tritons_client(server: Server, site: Site) -> None:
    wanted = ours(server, site)
    found = run("call_triton.py", server.base.removeprefix("http://"), site.tokens["user"], json.dumps(ROWS))
    assert len(found["answers"]) == 17
    assert {name: answer for name, answer in found["answers"].items() if answer != wanted} == {}
    assert [text.split(":")[2] for text in found["top"]] == wanted["predictions"]
    assert [found[name] for name in ("live", "ready", "model_ready", "unknown_ready")] == [True, True, True, False]
    assert "binary_tensor_data" in found["server"]["extensions"]
    assert [tensor["name"] for tensor in found["model"]["inputs"]] == ["length", "width", "colour"]
    assert [tensor["data_type"] for tensor in found["config"]["input"]] == ["TYPE_FP64", "TYPE_FP64", "TYPE_STRING"]
    assert found["load"] == found["unload"]
    assert found["load"][0] == "422"
    assert "promotion decides which version" in found["load"][1]
    assert {model["name"]: model["state"] for model in found["index"]} == dict.fromkeys(
        ("tiny", "kept", "size"), "READY"
    )
    assert found["stats"]["model_stats"][0]["inference_count"] > 3000
    assert found["no_token"] == ["401", "Authorization token required"]
    assert found["no_model"] == ["404", "no model is named nope"]
    assert found["no_column"] == ["400", "the inputs lack width; the model takes length, width, colour"]


def test_kserves_client(server: Server, site: Site) -> None:
    wanted = ours(server, site)
    found = run("call_kserve.py", server.base, site.tokens["user"], json.dumps(ROWS))
    assert found["answers"] == {"json": wanted, "binary": wanted}
    assert [found[name] for name in ("live", "ready", "model_ready")] == [True, True, True]


def test_mlflows_client(server: Server, site: Site) -> None:
    wanted = ours(server, site, "size")["predictions"]
    found = run("call_mlflow.py", server.base.removeprefix("http://"), site.tokens["user"], json.dumps(ROWS))
    assert [found[name] for name in ("frame", "list", "array", "params")] == [wanted] * 4
    assert found["default"] == ours(server, site)["predictions"]
    assert found["version"]
    assert "lack colour" in found["refused"]


@pytest.mark.parametrize(("client", "shown"), [("tritonclient", "small"), ("mlflow", "small")])
def test_the_pages_examples(server: Server, site: Site, client: str, shown: str) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/serving.md").read_text(), re.M | re.S)
    block = next(block for block in blocks if f"from {client}" in block)
    # MLflow's client takes the port by itself.
    text = block.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}").replace('"8000/', f'"{server.port}/')
    environ = {**os.environ, "TOKEN": site.tokens["user"]}
    done = subprocess.run(
        [str(PYTHON), "-c", text], env=environ, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout
