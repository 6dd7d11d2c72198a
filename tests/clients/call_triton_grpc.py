"""Ask a server through tritonclient over gRPC; prints what came back, and the client's own form of the protocol.

Runs in the clients' environment.
"""

import base64
import json
import sys

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput, model_config_pb2, service_pb2
from tritonclient.utils import InferenceServerException


def inputs(rows):
    columns = list(zip(*rows, strict=True))
    texts = InferInput("colour", [len(rows), 1], "BYTES")
    texts.set_data_from_numpy(np.array(columns[2], dtype=object).reshape(-1, 1))
    made = [texts]
    for name, cells in zip(("length", "width"), columns[:2], strict=True):
        tensor = InferInput(name, [len(rows), 1], "FP64")
        tensor.set_data_from_numpy(np.array(cells, dtype=np.float64).reshape(-1, 1))
        made.append(tensor)
    return made


def shown(answer, rows):
    labels = [label.decode() for label in answer.as_numpy("predictions").tolist()][: len(rows)]
    return {"predictions": labels, "probabilities": answer.as_numpy("probabilities").tolist()[: len(rows)]}


def refusal(call):
    try:
        call()
    except InferenceServerException as error:
        return [error.status(), error.message()]
    return None


def main():
    address, token, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    headers = {"authorization": f"Bearer {token}"}
    client = InferenceServerClient(address)
    wanted = [InferRequestedOutput(name) for name in ("probabilities", "predictions")]
    ways = {
        "default": {},
        "outputs": {"outputs": wanted},
        "gzip": {"compression_algorithm": "gzip"},
        "version": {"model_version": "1", "request_id": "triton-1", "client_timeout": 20},
    }
    answers = {}
    for way, options in ways.items():
        for times in (1, 100):
            answer = client.infer("tiny", inputs(rows * times), headers=headers, **options)
            answers[f"{way}, {times}"] = shown(answer, rows)
    top = client.infer("tiny", inputs(rows), headers=headers, outputs=[InferRequestedOutput("probabilities", 1)])
    print(
        json.dumps(
            {
                "answers": answers,
                "top": [text.decode() for text in top.as_numpy("probabilities").ravel().tolist()],
                "live": client.is_server_live(),
                "ready": client.is_server_ready(),
                "model_ready": client.is_model_ready("tiny", headers=headers),
                "server": client.get_server_metadata(as_json=True),
                "model": client.get_model_metadata("tiny", headers=headers, as_json=True),
                "config": client.get_model_config("tiny", headers=headers, as_json=True),
                "config_1": client.get_model_config("tiny", "1", headers=headers, as_json=True),
                "index": client.get_model_repository_index(headers=headers, as_json=True),
                "stats": client.get_inference_statistics("tiny", headers=headers, as_json=True),
                "no_token": refusal(lambda: client.infer("tiny", inputs(rows))),
                "no_model": refusal(lambda: client.infer("nope", inputs(rows), headers=headers)),
                "no_column": refusal(lambda: client.infer("tiny", inputs(rows)[:2], headers=headers)),
                "refused": {
                    "load": refusal(lambda: client.load_model("tiny", headers=headers)),
                    "unload": refusal(lambda: client.unload_model("tiny", headers=headers)),
                    "load nope": refusal(lambda: client.load_model("nope", headers=headers)),
                    "load without a token": refusal(lambda: client.load_model("tiny")),
                    "config nope": refusal(lambda: client.get_model_config("nope", headers=headers)),
                    "config 9": refusal(lambda: client.get_model_config("tiny", "9", headers=headers)),
                    "config newest": refusal(lambda: client.get_model_config("tiny", "newest", headers=headers)),
                    "config without a token": refusal(lambda: client.get_model_config("tiny")),
                    "stats nope": refusal(lambda: client.get_inference_statistics("nope", headers=headers)),
                },
                "no_method": refusal(lambda: client.get_trace_settings("tiny", headers=headers)),
                "protocol": [
                    base64.b64encode(module.DESCRIPTOR.serialized_pb).decode()
                    for module in (service_pb2, model_config_pb2)
                ],
            }
        )
    )


main()
