"""A web worker that answers predictions holds no library that it does not need for them."""

import json
import sys

import pytest

from tests.predictions.served import Served

# Loaded by whoever uses them first: the console's data pages, ingestion, training, models served by scikit-learn.
HEAVY = """
dask deltalake duckdb evidently joblib kafka matplotlib narwhals onnx pandas pandera polars pyarrow pyspark scipy
skl2onnx sklearn
"""
ASKED = """
import io, json, sys
from mlsite.wsgi import application
BODY = b'{"data": [[4.0, 1.5, "red"]]}'
def ask(method, path, body=b""):
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": ""}
    environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    environ |= {"HTTP_HOST": "localhost", "SERVER_NAME": "localhost", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}
    environ |= {"SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1"}
    said = []
    list(application(environ, lambda status, *_: said.append(status)))
    return said[0]
said = [ask("POST", "/api/v1/models/tiny/predict", BODY) for _ in range(3)]
said += [ask("GET", path) for path in ("/api/v1/health", "/api/v1/health/ready", "/api/v1/metrics", "/admin/login/")]
print(json.dumps([said, sorted(name for name in sys.modules if "." not in name)]))
"""


@pytest.mark.timeout(400)
def test_a_worker_that_answers_predictions_has_not_loaded_what_only_others_need(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    served = Served(tmp_path_factory, PROCESS_ROLE="web", OMP_NUM_THREADS="1")
    said, loaded = json.loads(served.run([sys.executable, "-c", ASKED]).splitlines()[-1])
    assert said == ["200 OK"] * 7
    assert sorted(set(loaded) & set(HEAVY.split())) == []
