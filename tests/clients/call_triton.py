"""Ask a server through tritonclient in every combination it knows; prints what came back.

Runs in the clients' environment.
"""

import json
import sys
from itertools import product

import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.http.auth import BasicAuth
from tritonclient.utils import InferenceServerException


def inputs(rows, binary):
    columns = list(zip(*rows, strict=True))
    texts = InferInput("colour", [len(rows), 1], "BYTES")
    texts.set_data_from_numpy(np.array(columns[2], dtype=object).reshape(-1, 1), binary_data=binary)
    made = [texts]
    for name, cells in zip(("length", "width"), columns[:2], strict=True):
        tensor = InferInput(name, [len(rows), 1], "FP64")
        tensor.set_data_from_numpy(np.array(cells, dtype=np.float64).reshape(-1, 1), binary_data=binary)
        made.append(tensor)
    return made


def shown(answer):
    labels = [
        label.decode() if isinstance(label, bytes) else label for label in answer.as_numpy("predictions").tolist()
    ]
    return {"predictions": labels, "probabilities": answer.as_numpy("probabilities").tolist()}


def refusal(call):
    try:
        call()
    except InferenceServerException as error:
        return [error.status(), error.message()]
    return None


def main():
    address, token, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    headers = {"Authorization": f"Bearer {token}"}
    client = InferenceServerClient(address)
    answers = {}
    ways = {
        "default": {},
        "json": {"outputs": [InferRequestedOutput(n, binary_data=False) for n in ("predictions", "probabilities")]},
        "gzip": {"request_compression_algorithm": "gzip", "response_compression_algorithm": "gzip"},
        "deflate": {
            "request_compression_algorithm": "deflate",
            "response_compression_algorithm": "deflate",
            "model_version": "1",
            "request_id": "triton-1",
        },
    }
    for binary, (way, options) in product((True, False), ways.items()):
        answer = client.infer("tiny", inputs(rows, binary), headers=dict(headers), **options)  # it writes into them
        answers[f"{'binary' if binary else 'json'} in, {way}"] = shown(answer)
        many = client.infer("tiny", inputs(rows * 100, binary), headers=dict(headers), **options)  # it writes into them
        answers[f"{'binary' if binary else 'json'} in, {way}, many"] = {
            k: v[: len(rows)] for k, v in shown(many).items()
        }
    named = InferenceServerClient(address)
    named.register_plugin(BasicAuth("svc", token))
    answers["basic"] = shown(named.infer("tiny", inputs(rows, binary=True)))
    top = client.infer(
        "tiny", inputs(rows, True), headers=headers, outputs=[InferRequestedOutput("probabilities", class_count=1)]
    )
    print(
        json.dumps(
            {
                "answers": answers,
                "top": [text.decode() for text in top.as_numpy("probabilities").ravel().tolist()],
                "live": client.is_server_live(),
                "ready": client.is_server_ready(),
                "model_ready": client.is_model_ready("tiny", headers=headers),
                "unknown_ready": client.is_model_ready("nope", headers=headers),
                "server": client.get_server_metadata(),
                "model": client.get_model_metadata("tiny", headers=headers),
                "config": client.get_model_config("tiny", headers=headers),
                "load": refusal(lambda: client.load_model("tiny", headers=headers)),
                "unload": refusal(lambda: client.unload_model("tiny", headers=headers)),
                "index": client.get_model_repository_index(headers=headers),
                "stats": client.get_inference_statistics("tiny", headers=headers),
                "no_token": refusal(lambda: client.infer("tiny", inputs(rows, True))),
                "no_model": refusal(lambda: client.infer("nope", inputs(rows, True), headers=headers)),
                "no_column": refusal(lambda: client.infer("tiny", inputs(rows, True)[:2], headers=headers)),
            }
        )
    )


main()
