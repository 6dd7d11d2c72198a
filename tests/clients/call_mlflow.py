"""Ask a server through MLflow's scoring client; prints what came back. Runs in the clients' environment."""

import json
import sys

import numpy as np
import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient


def predictions(answer):
    return json.loads(answer.to_json())["predictions"]


def main():
    address, token, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    host, port = address.split(":")
    named = ScoringServerClient(f"svc:{token}@{host}", f"{port}/mlflow/size")
    default = ScoringServerClient(f"svc:{token}@{host}", port)
    frame = pd.DataFrame(rows, columns=["length", "width", "colour"])
    named.wait_server_ready(timeout=20)
    named.ping()
    try:
        named.invoke(frame.drop(columns="colour"))
        refused = ""
    except Exception as error:  # noqa: BLE001 (the client raises nothing narrower)
        refused = str(error)
    print(
        json.dumps(
            {
                "frame": predictions(named.invoke(frame)),
                "list": predictions(named.invoke(rows)),
                "array": predictions(named.invoke(np.array(rows, dtype=object))),
                "params": predictions(named.invoke(frame, params={"unknown": 1})),
                "default": predictions(default.invoke(frame)),
                "version": named.get_version(),
                "refused": refused,
            }
        )
    )


main()
