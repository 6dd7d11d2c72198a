"""What people write by hand: FastAPI, a raw body, orjson; /min asks scikit-learn, /ort a graph. No auth, no log."""

import os

import joblib
import numpy as np
import onnxruntime
import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response

HERE, KIND = os.environ["BENCH_MODELS"], os.environ["BENCH_MODEL"]
model = joblib.load(f"{HERE}/{KIND}.joblib")
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(f"{HERE}/{KIND}.onnx", options)
app = FastAPI()


def answer(shares: np.ndarray) -> Response:
    """Return class numbers and probabilities."""
    content = {"predictions": shares.argmax(1), "probabilities": shares}
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


@app.post("/min")
async def by_sklearn(request: Request) -> Response:
    """Ask the pipeline."""
    return answer(model.predict_proba(np.array(orjson.loads(await request.body())["data"], dtype=np.float64)))


@app.post("/ort")
async def by_onnx(request: Request) -> Response:
    """Ask the graph."""
    rows = np.array(orjson.loads(await request.body())["data"], dtype=np.float32)
    return answer(session.run(["probabilities"], {"x": rows})[0])
