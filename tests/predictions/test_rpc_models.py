"""What clients of Triton ask about models over gRPC: the words of the same addresses over HTTP, and their refusals."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from predictions import engine
from predictions.actions.api_keys import new_key
from predictions.models import ApiKey
from predictions.rpc import inference_pb2 as pb
from tests.predictions.dialects import fetch, send
from tests.predictions.rpc import Line, asked, line
from tests.predictions.tiny import register, staged

Token = Callable[..., str]
Code = grpc.StatusCode
# Each has a field for a model's name, and all but the last two one for its version.
METHODS = (
    "ModelReady",
    "ModelMetadata",
    "ModelConfig",
    "ModelStatistics",
    "RepositoryModelLoad",
    "RepositoryModelUnload",
)
NO_NAMES = ("nope", "a\0b", "../etc", "tiny ", "x" * 3000, "TINY", "tiny/versions/1", "\u202e", "inference.ModelInfer")


@pytest.fixture
def wire(serving: None) -> Iterator[Line]:
    with line() as found:
        yield found


def request(method: str, name: str = "", version: str = "") -> Any:
    """Return a message that names a model, and a version where the method takes one."""
    kind = getattr(pb, f"{method}Request")
    if method.startswith("RepositoryModel"):
        return kind(model_name=name)
    return kind(name=name, version=version)


def shown(message: Any) -> Any:
    """Return a message as the same answer over HTTP has it: all fields, and whole numbers as such."""

    def plain(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: plain(part, name) for name, part in value.items()}
        if isinstance(value, list):
            return [plain(part, key) for part in value]
        return int(value) if key in {"dims", "inference_count", "execution_count", "count", "ns"} else value

    return plain(MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))


@pytest.mark.parametrize("kind", [{}, {"regression": True}])
def test_a_configuration_is_that_of_http(wire: Line, token: Token, kind: dict[str, Any]) -> None:
    staged(**kind)
    key = token("readonly")
    for version, path in (("", "/v2/models/tiny/config"), ("1", "/v2/models/tiny/versions/1/config")):
        told = wire.ask("ModelConfig", request("ModelConfig", "tiny", version), key)
        assert shown(told.answer.config) == fetch(key, path).json()
        assert told.answer.config.input[2].data_type == pb.TYPE_STRING
    assert shown(wire.ask("ModelConfig", None, key).answer.config) == fetch(key, "/v2/models/tiny/config").json()


def test_index_and_statistics_are_those_of_http_field_by_field(wire: Line, token: Token) -> None:
    staged()
    register("other", seed=1)
    engine.refresh()
    key = token()
    index = wire.ask("RepositoryIndex", None, key).answer
    over_http = send(key, "/v2/repository/index", b"").json()
    assert shown(index)["models"] == [{"version": "", **model} for model in over_http]
    wire.ask("ModelInfer", asked(), key)
    for message, path in (
        (request("ModelStatistics", "tiny"), "/v2/models/tiny/stats"),
        (request("ModelStatistics", "tiny", "1"), "/v2/models/tiny/versions/1/stats"),
        (None, "/v2/models/stats"),
    ):
        told = shown(wire.ask("ModelStatistics", message, key).answer)
        assert told == fetch(key, path).json()
        assert told["model_stats"]


@pytest.mark.parametrize("role", ["readonly", "admin"])
@pytest.mark.parametrize("way", ["Load", "Unload"])
def test_a_client_loads_and_unloads_nothing(wire: Line, token: Token, way: str, role: str) -> None:
    staged()
    key = token(role)
    kind = getattr(pb, f"RepositoryModel{way}Request")
    parameters = {"unload_dependents": pb.ModelRepositoryParameter(bool_param=True)}
    told = wire.ask(f"RepositoryModel{way}", kind(model_name="tiny", parameters=parameters), key)
    over_http = send(key, f"/v2/repository/models/tiny/{way.lower()}", b"{}")
    assert (told.code, told.details) == (Code.FAILED_PRECONDITION, over_http.json()["error"])
    assert told.details.startswith("promotion decides which version of tiny is loaded, a client never")
    assert told.metadata["error-code"] == "not_loaded_by_clients"
    assert wire.ask("ModelReady", request("ModelReady", "tiny"), key).answer.ready


@pytest.mark.parametrize("method", METHODS)
def test_a_name_that_is_none_is_not_found(wire: Line, token: Token, method: str) -> None:
    staged()
    key = token()
    told = {name: wire.ask(method, request(method, name), key) for name in NO_NAMES}
    assert {(one.code, one.metadata["error-code"]) for one in told.values()} == {(Code.NOT_FOUND, "unknown_model")}
    assert told["nope"].details == "no model is named nope"
    assert len(told["x" * 3000].details) < 200
    body = request(method, "tiny").SerializeToString().replace(b"tiny", b"ti\xffy")
    broken = wire.raw(method, body, key)
    assert (broken.code, broken.metadata["error-code"]) == (Code.INVALID_ARGUMENT, "invalid_request_data")


@pytest.mark.parametrize("method", METHODS[:4])
def test_a_version_that_is_none_is_refused(wire: Line, token: Token, method: str) -> None:
    staged()
    key = token()
    codes = {
        version: wire.ask(method, request(method, "tiny", version), key).code
        for version in ("newest", "-1", "1.0", "٣", "9" * 10, "9", "0", "1")
    }
    assert codes == {
        **dict.fromkeys(("newest", "-1", "1.0", "٣", "9" * 10), Code.INVALID_ARGUMENT),
        **dict.fromkeys(("9", "0"), Code.NOT_FOUND),
        "1": Code.OK,
    }
    assert wire.ask(method, request(method, "", "newest"), key).code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("method", [*METHODS, "RepositoryIndex"])
def test_who_may_not_is_refused_as_over_http(wire: Line, token: Token, configure: Any, method: str) -> None:
    staged()
    reader = token("readonly", "rob")
    configure(rate_limit="1/hour")
    message = None if method == "RepositoryIndex" else request(method, "tiny")
    told = [wire.ask(method, message, given) for given in ("", "junk", reader, reader)]
    assert [one.metadata.get("error-code") for one in told[:2]] == ["not_authenticated", "invalid_token"]
    assert {one.code for one in told[:2]} == {Code.UNAUTHENTICATED}
    assert told[2].code is (Code.FAILED_PRECONDITION if method.startswith("RepositoryModel") else Code.OK)
    assert (told[3].code, told[3].metadata["error-code"]) == (Code.RESOURCE_EXHAUSTED, "rate_limited")


def test_a_key_whose_roles_are_gone_is_denied_as_over_http(wire: Line, token: Token) -> None:
    staged()
    key = new_key("etl", roles=["user"], models=[], days=30, actor="cli:test").key
    ApiKey.objects.update(roles=["retired"])
    told = [wire.ask(method, request(method, "tiny"), key) for method in METHODS]
    over_http = fetch(key, "/v2/models/tiny/config")
    assert over_http.status_code == 403
    assert {(one.code, one.metadata["error-code"], one.details) for one in told} == {
        (Code.PERMISSION_DENIED, "permission_denied", over_http.json()["error"])
    }


def test_nothing_in_production_is_unavailable(wire: Line, token: Token) -> None:
    register("tiny")
    engine.refresh()
    key = token()
    told = wire.ask("ModelConfig", request("ModelConfig", "tiny"), key)
    over_http = fetch(key, "/v2/models/tiny/config")
    assert (told.code, over_http.status_code) == (Code.UNAVAILABLE, 503)
    assert told.details == over_http.json()["error"]
    assert wire.ask("ModelConfig", request("ModelConfig", "tiny", "1"), key).code is Code.OK
