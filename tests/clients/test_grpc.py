"""Clients over gRPC, unmodified, against the served product; and what they see of its end."""

import base64
import json
import os
import signal
import subprocess
import threading
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from mlsite.config.schema import ROOT
from predictions.rpc import inference_pb2 as pb
from tests.clients.conftest import Process, grpc_is_well
from tests.clients.test_clients import PYTHON, ours, run
from tests.mlsite.test_supervisor import wait_for
from tests.predictions.dialects import ROWS
from tests.predictions.rpc import Line, asked
from tests.served import Server, Site

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]


def test_the_clients_and_the_pages_example(site: Site, server: Server, grpc_server: Process, grpc_address: str) -> None:
    wanted, rest = ours(server, site), (grpc_address, site.tokens["user"], json.dumps(ROWS))
    check_triton(found := run("call_triton_grpc.py", *rest), wanted)
    check_model_calls(found, server, site)
    kserve = run("call_kserve_grpc.py", *rest)
    assert kserve["answers"] == {"typed": wanted, "raw": wanted}
    assert [kserve[name] for name in ("live", "ready", "model_ready")] == [True, True, True]
    page = (ROOT / "docs/serving.md").read_text()
    block = next(part for part in page.split("```python\n") if "from tritonclient.grpc" in part).partition("```")[0]
    text, environ = block.replace("127.0.0.1:8001", grpc_address), {**os.environ, "TOKEN": site.tokens["user"]}
    done = subprocess.run([str(PYTHON), "-c", text], env=environ, capture_output=True, text=True, check=True)
    assert "small" in done.stdout


def check_triton(found: Any, wanted: Any) -> None:
    assert len(found["answers"]) == 8
    assert {name: answer for name, answer in found["answers"].items() if answer != wanted} == {}
    assert [text.split(":")[2] for text in found["top"]] == wanted["predictions"]
    assert [found[name] for name in ("live", "ready", "model_ready")] == [True, True, True]
    assert "statistics" in found["server"]["extensions"]
    assert [tensor["name"] for tensor in found["model"]["inputs"]] == ["length", "width", "colour"]
    states = {model["name"]: model["state"] for model in found["index"]["models"]}
    assert states == dict.fromkeys(("tiny", "kept", "size"), "READY")
    assert int(found["stats"]["model_stats"][0]["inference_count"]) > 1600
    assert found["no_token"] == ["StatusCode.UNAUTHENTICATED", "Authorization token required"]
    assert found["no_model"] == ["StatusCode.NOT_FOUND", "no model is named nope"]
    no_column = "the inputs lack width; the model takes length, width, colour"
    assert found["no_column"] == ["StatusCode.INVALID_ARGUMENT", no_column]
    assert found["no_method"][0] == "StatusCode.UNIMPLEMENTED"
    assert differences(*(FileDescriptorProto.FromString(base64.b64decode(part)) for part in found["protocol"])) == []


def check_model_calls(found: Any, server: Server, site: Site) -> None:
    """Hold configurations to those of HTTP, and every refusal to its status and text."""
    headers = {"Authorization": f"Bearer {site.tokens['user']}"}
    with httpx.Client(base_url=server.base, headers=headers) as client:
        config = client.get("/v2/models/tiny/config").json()
        control = client.post("/v2/repository/models/tiny/load").json()["error"]
    for tensor in (*config["input"], *config["output"]):
        # JSON made of a message has whole numbers of 64 bits as texts, and leaves zeros out.
        tensor["dims"] = [str(size) for size in tensor["dims"]]
    assert config.pop("max_batch_size") == 0
    assert found["config"] == found["config_1"] == {"config": config}
    assert control.startswith("promotion decides which version of tiny is loaded, a client never")
    assert found["refused"] == {
        "load": ["StatusCode.FAILED_PRECONDITION", control],
        "unload": ["StatusCode.FAILED_PRECONDITION", control],
        "load nope": ["StatusCode.NOT_FOUND", "no model is named nope"],
        "load without a token": ["StatusCode.UNAUTHENTICATED", "Authorization token required"],
        "config nope": ["StatusCode.NOT_FOUND", "no model is named nope"],
        "config 9": ["StatusCode.NOT_FOUND", "tiny has no version 9"],
        "config newest": [
            "StatusCode.INVALID_ARGUMENT",
            "the version must be a whole number, or empty; got newest",
        ],
        "config without a token": ["StatusCode.UNAUTHENTICATED", "Authorization token required"],
        "stats nope": ["StatusCode.NOT_FOUND", "no model is named nope"],
    }


def test_the_standard_clients_of_health(site: Site, grpc_server: Process, grpc_address: str) -> None:
    found = run("call_health.py", grpc_address, site.tokens["user"])
    serving = dict.fromkeys(("", "inference.GRPCInferenceService", "tiny", "kept", "size"), "SERVING")
    assert found["checked"] == {**serving, "nope": "NOT_FOUND: no model is named nope"}
    assert found["watched"] == {**serving, "nope": "SERVICE_UNKNOWN"}
    # A channel that watches for itself sends to servers that serve, and to no other.
    assert found["channels"] == {"tiny": "OK", "nope": "UNAVAILABLE"}


def differences(theirs: FileDescriptorProto, configurations: FileDescriptorProto) -> list[str]:
    """Return what our form of the protocol says otherwise than the client's."""
    own = FileDescriptorProto.FromString(pb.DESCRIPTOR.serialized_pb)
    known = fields(theirs.message_type) | fields(configurations.message_type)
    methods = [(m.name, m.input_type, m.output_type) for m in theirs.service[0].method]
    datatypes = [
        [(v.name, v.number) for v in kind.value] for kind in configurations.enum_type if kind.name == "DataType"
    ]
    assert datatypes == [[(v.name, v.number) for v in own.enum_type[0].value]]
    found = [name for name, shape in fields(own.message_type).items() if known.get(name) != shape]
    assert (own.package, own.service[0].name) == (theirs.package, theirs.service[0].name)
    return found + [m.name for m in own.service[0].method if (m.name, m.input_type, m.output_type) not in methods]


def fields(messages: Any, prefix: str = "") -> dict[str, tuple[Any, ...]]:
    """Return number, type, label and kind of every field of messages, by its whole name."""
    found = {}
    for message in messages:
        assert isinstance(message, DescriptorProto)
        name = f"{prefix}{message.name}"
        found |= {f"{name}.{f.name}": (f.number, f.type, f.label, f.type_name) for f in message.field}
        found |= fields(message.nested_type, f"{name}.")
    return found


def test_calls_that_were_begun_are_answered_and_logged_when_it_stops(
    site: Site, server: Server, grpc_server: Process, grpc_address: str
) -> None:
    key, answered, ends = site.tokens["user"], list[str](), list[grpc.StatusCode]()

    def ask_on() -> None:
        with grpc.insecure_channel(grpc_address) as channel:
            while True:
                told = Line(channel, 0).ask("ModelInfer", asked(), key)
                if told.code is not grpc.StatusCode.OK:
                    ends.append(told.code)
                    return
                answered.append(told.answer.parameters["prediction_id"].string_param)

    threads = [threading.Thread(target=ask_on) for _ in range(12)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(answered) > 100, 60)
    grpc_server.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert grpc_server.wait(30) == 0
    assert set(ends) == {grpc.StatusCode.UNAVAILABLE}
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=server.base, headers=headers) as client:
        lost = [i for i in answered[-100:] if client.get(f"/api/v1/predictions/{i}").status_code != 200]
    assert lost == []
    assert not grpc_is_well(server)
