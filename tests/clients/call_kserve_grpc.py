"""Ask a server through KServe's client over gRPC; prints what came back. Runs in the clients' environment."""

import asyncio
import json
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest


def request(rows, binary):
    columns = list(zip(*rows, strict=True))
    made = []
    for name, cells in zip(("length", "width", "colour"), columns, strict=True):
        text = name == "colour"
        tensor = InferInput(name, [len(rows), 1], "BYTES" if text else "FP64")
        values = np.array(cells, dtype=object if text else np.float64).reshape(-1, 1)
        tensor.set_data_from_numpy(values, binary_data=binary)
        made.append(tensor)
    return InferRequest("tiny", made, request_id="kserve-1")


def shown(answer):
    found = {output.name: output.as_numpy().tolist() for output in answer.outputs}
    found["predictions"] = [label.decode() if isinstance(label, bytes) else label for label in found["predictions"]]
    return found


async def main():
    address, token, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    headers = (("authorization", f"Bearer {token}"),)
    client = InferenceGRPCClient(address)
    answers = {
        name: shown(await client.infer(request(rows, binary), headers=headers))
        for name, binary in (("typed", False), ("raw", True))
    }
    print(
        json.dumps(
            {
                "answers": answers,
                "live": await client.is_server_live(),
                "ready": await client.is_server_ready(),
                "model_ready": await client.is_model_ready("tiny", headers=headers),
            }
        )
    )


asyncio.run(main())
