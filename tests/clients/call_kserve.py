"""Ask a server through KServe's client; prints what came back. Runs in the clients' environment."""

import asyncio
import json
import sys

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput


def request(rows, binary):
    columns = list(zip(*rows, strict=True))
    made = []
    for name, cells in zip(("length", "width", "colour"), columns, strict=True):
        text = name == "colour"
        tensor = InferInput(name, [len(rows), 1], "BYTES" if text else "FP64")
        values = np.array(cells, dtype=object if text else np.float64).reshape(-1, 1)
        tensor.set_data_from_numpy(values, binary_data=binary)
        made.append(tensor)
    wanted = [RequestedOutput(name, {"binary_data": binary}) for name in ("predictions", "probabilities")]
    return InferRequest("tiny", made, request_id="kserve-1", request_outputs=wanted)


def shown(answer):
    found = {output.name: output.as_numpy().tolist() for output in answer.outputs}
    found["predictions"] = [label.decode() if isinstance(label, bytes) else label for label in found["predictions"]]
    return found


async def main():
    base, token, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    headers = {"Authorization": f"Bearer {token}"}
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
    answers = {
        name: shown(await client.infer(base, request(rows, binary), model_name="tiny", headers=headers))
        for name, binary in (("json", False), ("binary", True))
    }
    print(
        json.dumps(
            {
                "answers": answers,
                "live": await client.is_server_live(base),
                "ready": await client.is_server_ready(base),
                "model_ready": await client.is_model_ready(base, "tiny", headers=headers),
            }
        )
    )


asyncio.run(main())
