"""Many rows that came as numbers are kept as bytes, and read back as the rows they were."""

import json

import numpy as np

from predictions.actions.log_predictions import flush_log
from predictions.actions.predict import PredictRequest, predict
from predictions.actions.replay import replay
from predictions.actions.trace_prediction import trace_prediction
from predictions.core.packed_rows import MANY, pack_rows, unpack_rows
from predictions.core.tables import Table
from predictions.models import Prediction
from tests.predictions.numbers import COLUMNS, drawn, serve


def test_rows_come_back_to_the_bit() -> None:
    rows = np.array([*drawn(40), [0.1, -0.0, 5e-324, 1.7976931348623157e308, np.nan, *range(COLUMNS - 5)]])
    back = unpack_rows(json.loads(pack_rows(rows)))
    assert back[-1][4] is None
    assert np.array(back, dtype=np.float64).tobytes() == rows.tobytes()


def test_other_values_stay_as_they_are() -> None:
    for value in ([[1.0, None, "a"]], {"predictions": [1]}, {"float64": "AA=="}, {}, None, "text"):
        assert unpack_rows(value) is value


def test_a_bulk_request_is_stored_as_bytes_read_as_rows_and_replayed(serving: None) -> None:
    serve()
    rows = np.array(drawn(MANY + 1))
    rows[3, 2] = np.nan
    predict(PredictRequest(principal="cli:test", request_id="many", model="numbers", table=Table(matrix=rows)))
    predict(PredictRequest(principal="cli:test", request_id="few", model="numbers", table=Table(matrix=rows[:5])))
    flush_log()
    kept = {row.request_id: row for row in Prediction.objects.all()}
    assert kept["many"].inputs[0] == rows[0].tolist()
    assert kept["many"].inputs[3][2] is None
    assert kept["many"].inputs[:5] == kept["few"].inputs
    assert trace_prediction(kept["many"].pk).inputs["rows"] == kept["many"].inputs
    assert dict(Prediction.objects.values_list("request_id", "inputs"))["many"] == kept["many"].inputs
    for row in kept.values():
        assert replay(row.pk).equal
