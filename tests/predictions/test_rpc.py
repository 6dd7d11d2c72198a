"""The Open Inference Protocol over gRPC: the bits of the same protocol over HTTP, and each refusal's status."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict
from prometheus_client import REGISTRY

from mlsite.api import fault_of
from predictions import engine
from predictions.models import Prediction
from predictions.rpc import inference_pb2 as pb
from predictions.rpc.calls import SERVICE, Calls
from predictions.rpc.messages import CONTENTS, infer_request_of
from predictions.rpc.methods import METHODS
from tests.predictions.dialects import ROWS, fetch, send
from tests.predictions.rpc import Line, asked, line, raw_asked, typed
from tests.predictions.rpc_wrong import wrong
from tests.predictions.test_v2 import asked as rest_asked
from tests.predictions.test_v2 import outputs
from tests.predictions.tiny import register, staged

Token = Callable[..., str]
Code = grpc.StatusCode


@pytest.fixture
def wire(serving: None) -> Iterator[Line]:
    with line() as found:
        yield found


def cells(answer: pb.ModelInferResponse) -> dict[str, Any]:
    """Return the outputs of an answer by name, whatever form they came in."""
    found: dict[str, Any] = {}
    for place, output in enumerate(answer.outputs):
        if not answer.raw_output_contents:
            values = list(getattr(output.contents, CONTENTS[output.datatype]))
            found[output.name] = [v.decode() if isinstance(v, bytes) else v for v in values]
            continue
        part = answer.raw_output_contents[place]
        if output.datatype == "FP64":
            found[output.name] = np.frombuffer(part, "<f8").tolist()
            continue
        texts = []
        while part:
            size = int.from_bytes(part[:4], "little")
            texts.append(part[4 : 4 + size].decode())
            part = part[4 + size :]
        found[output.name] = texts
    return found


def test_cells_raw_and_typed_give_the_bits_of_http(wire: Line, token: Token) -> None:
    staged()
    staged(name="size", regression=True)
    key = token()
    wanted = outputs(send(key, "/v2/models/tiny/infer", json.dumps(rest_asked()).encode()))
    calls = [asked(), raw_asked(), asked(model_version="1"), raw_asked(id="mine")]
    told = [wire.ask("ModelInfer", call, key) for call in calls]
    assert [cells(one.answer) for one in told] == [wanted] * len(calls)
    assert [bool(one.answer.raw_output_contents) for one in told] == [False, True, False, True]
    assert [one.answer.id for one in told] == ["", "", "", "mine"]
    assert {(one.answer.model_name, one.answer.model_version) for one in told} == {("tiny", "1")}
    regression = wire.ask("ModelInfer", asked("size"), key).answer
    assert cells(regression) == outputs(send(key, "/v2/models/size/infer", json.dumps(rest_asked()).encode()))
    best = pb.ModelInferRequest.InferRequestedOutputTensor(
        name="probabilities", parameters={"classification": pb.InferParameter(int64_param=1)}
    )
    top = cells(wire.ask("ModelInfer", asked(outputs=[best]), key).answer)["probabilities"]
    assert [text.split(":")[2] for text in top] == wanted["predictions"]


def test_an_answer_has_its_id_and_can_be_found_in_the_log(wire: Line, token: Token) -> None:
    staged()
    key = token()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    told = wire.ask("ModelInfer", asked(), key, metadata=[("x-request-id", "mine-1"), ("traceparent", trace)])
    assert told.metadata["x-request-id"] == "mine-1"
    assert told.answer.parameters["role"].string_param == "production"
    engine.stop()
    found = fetch(key, f"/api/v1/predictions/{told.answer.parameters['prediction_id'].string_param}").json()
    assert found["inputs"] == ROWS
    assert list(Prediction.objects.values_list("principal", "request_id", "source")) == [
        ("user:alice", "mine-1", "api")
    ]
    assert len(wire.ask("ServerLive", metadata=[("x-request-id", "two words")]).metadata["x-request-id"]) == 32


@pytest.mark.parametrize("datatype", sorted(CONTENTS))
def test_every_datatype_is_read_from_its_list_and_raw(datatype: str) -> None:
    values: list[Any] = {"BOOL": [True, False], "BYTES": ["ä", ""]}.get(datatype, [1, 7])
    wish = typed("a", datatype, values)
    found = infer_request_of(pb.ModelInferRequest(inputs=[wish])).table.columns[0]
    assert list(found) == values
    odd = next(name for name in CONTENTS.values() if name != CONTENTS[datatype])
    getattr(wish.contents, odd).append(b"x" if odd == "bytes_contents" else 1)
    with pytest.raises(Exception, match=rf"the cells of {datatype} stand in contents\.{CONTENTS[datatype]}"):
        infer_request_of(pb.ModelInferRequest(inputs=[wish]))


def test_metadata_readiness_index_and_statistics_are_those_of_http(wire: Line, token: Token) -> None:
    empty = wire.ask("ServerReady").answer
    staged()
    register("other", seed=1)
    engine.refresh()
    key = token()
    assert (empty.ready, wire.ask("ServerReady").answer.ready) == (False, True)
    assert wire.ask("ServerLive").answer.live
    assert MessageToDict(wire.ask("ServerMetadata").answer) == fetch("", "/v2").json()
    metadata = wire.ask("ModelMetadata", pb.ModelMetadataRequest(name="tiny"), key).answer
    shown = MessageToDict(metadata)
    for tensor in (*shown["inputs"], *shown["outputs"]):
        tensor["shape"] = [int(size) for size in tensor["shape"]]
    assert shown == fetch(key, "/v2/models/tiny").json()
    ready = [
        wire.ask("ModelReady", pb.ModelReadyRequest(name=name, version=version), key).answer.ready
        for name, version in (("tiny", ""), ("other", "1"), ("other", ""))
    ]
    assert ready == [True, True, False]
    index = wire.ask("RepositoryIndex", None, key).answer
    assert {model.name: model.state for model in index.models} == {"tiny": "READY", "other": "UNAVAILABLE"}
    only = wire.ask("RepositoryIndex", pb.RepositoryIndexRequest(ready=True), key).answer
    assert [model.name for model in only.models] == ["tiny"]
    wire.ask("ModelInfer", asked(), key)
    stats = wire.ask("ModelStatistics", pb.ModelStatisticsRequest(name="tiny"), key).answer.model_stats
    over_http = fetch(key, "/v2/models/tiny/stats").json()["model_stats"]
    assert [(s.version, s.inference_count, s.inference_stats.success.ns) for s in stats] == [
        (s["version"], s["inference_count"], s["inference_stats"]["success"]["ns"]) for s in over_http
    ]
    assert wire.ask("ModelStatistics", None, key).answer.model_stats


def test_each_wrong_call_has_its_status_and_none_is_the_servers_fault(wire: Line, token: Token) -> None:
    staged()
    key = token()
    calls = wrong()
    told = {name: wire.raw("ModelInfer", body, key) for name, (body, _, _) in calls.items()}
    found = {name: (one.code, one.metadata.get("error-code")) for name, one in told.items()}
    assert found == {name: (code, error) for name, (_, code, error) in calls.items()}
    assert told["a column less"].details == "the inputs lack width; the model takes length, width, colour"
    assert told["raw of other size"].details == "input width: FP64 of shape [4] is 32 bytes; got 7"
    assert {len(one.metadata["x-request-id"]) for one in told.values()} == {32}
    assert wire.ask("ModelMetadata", pb.ModelMetadataRequest(name="a\0b", version="1"), key).code is Code.NOT_FOUND
    assert wire.ask("ModelInfer", asked(), key).code is Code.OK


def test_what_is_too_large_is_refused_unread(wire: Line, token: Token) -> None:
    staged()
    key = token()
    large = asked(id="x" * 1_100_000)
    assert wire.ask("ModelInfer", large, key).code is Code.RESOURCE_EXHAUSTED
    bomb = asked(id="x" * 5_000_000)
    for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        assert wire.ask("ModelInfer", bomb, key, compression=compression).code is Code.RESOURCE_EXHAUSTED
        assert wire.ask("ModelInfer", asked(), key, compression=compression).code is Code.OK
    assert wire.raw("ModelStreamInfer", b"", key).code is Code.UNIMPLEMENTED


def test_who_may_not_is_refused(wire: Line, token: Token, configure: Any) -> None:
    staged()
    key, reader = token(), token("readonly", "rob")
    configure(rate_limit="2/hour")
    call = asked()
    told = [wire.ask("ModelInfer", call, given) for given in ("", "junk", reader, key, key, key)]
    assert [one.code for one in told] == [
        Code.UNAUTHENTICATED,
        Code.UNAUTHENTICATED,
        Code.PERMISSION_DENIED,
        Code.OK,
        Code.OK,
        Code.RESOURCE_EXHAUSTED,
    ]
    assert [one.details for one in told[:2]] == ["Authorization token required", "Invalid token"]
    codes = [one.metadata.get("error-code") for one in told]
    assert codes == ["not_authenticated", "invalid_token", "permission_denied", None, None, "rate_limited"]
    assert [one.metadata.get("x-ratelimit-remaining") for one in told] == [None, None, None, "1", "0", "0"]
    assert int(told[-1].metadata["retry-after"]) > 0
    assert wire.ask("ModelMetadata", pb.ModelMetadataRequest(name="tiny"), reader).code is Code.OK
    closed = sorted(METHODS.keys() - {"ServerLive", "ServerReady", "ServerMetadata"})
    assert len(closed) == 8
    assert [wire.ask(method).code for method in closed] == [Code.UNAUTHENTICATED] * len(closed)


def test_calls_are_counted_as_requests_are(wire: Line, token: Token) -> None:
    staged()
    key = token()

    def count(status: str) -> float:
        labels = {"method": "POST", "route": "inference.GRPCInferenceService/ModelInfer", "status": status}
        return REGISTRY.get_sample_value("http_requests_total", labels) or 0

    before = count("200"), count("404")
    wire.ask("ModelInfer", asked(), key)
    wire.ask("ModelInfer", asked("nope"), key)
    assert (count("200") - before[0], count("404") - before[1]) == (1, 1)
    assert REGISTRY.get_sample_value(
        "http_errors_total", {"route": "inference.GRPCInferenceService/ModelInfer", "status": "404"}
    )


class Call:
    """A call as the library hands it over, and how it ended."""

    def __init__(self, seconds_left: float = 20.0) -> None:
        self.seconds_left = seconds_left
        self.ended: tuple[Code, str] | None = None
        self.metadata: dict[str, str] = {}

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()

    def time_remaining(self) -> float:
        return self.seconds_left

    def is_active(self) -> bool:
        return True

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.metadata = dict(metadata)

    def abort(self, code: Code, details: str) -> None:
        self.ended = code, details


def handed(calls: Calls, call: Call, method: str = "ModelInfer") -> Call:
    """Hand a call over as the library does."""
    calls._answerer(SERVICE, method, METHODS[method])(asked().SerializeToString(), call)  # type: ignore[arg-type]
    return call


def test_calls_that_are_late_or_come_while_it_stops_are_not_worked_on(token: Token) -> None:
    staged()
    calls = Calls(fault_of)
    late = handed(calls, Call(seconds_left=0))
    assert late.ended == (Code.DEADLINE_EXCEEDED, "The deadline passed while the call waited for its turn")
    calls.stopping = True
    refused = [handed(calls, Call(), method) for method in ("ModelInfer", "ServerReady")]
    assert {call.ended for call in refused} == {(Code.UNAVAILABLE, "The server is stopping; ask again")}
    assert (refused[0].metadata["error-code"], refused[0].metadata["retry-after"]) == ("stopping", "1")
    assert not Prediction.objects.exists()


def test_a_fault_of_ours_is_internal_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    call = handed(Calls(lambda error: None), Call())
    assert call.ended == (Code.INTERNAL, "Internal error; it has been logged")
    assert call.metadata["error-code"] == "internal_error"
    assert "NotAuthenticated" in caplog.text
