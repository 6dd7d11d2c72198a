"""Cells for the model, and columns of the output, without files."""

import decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.batch import BatchPlan, cells, output_table, rejected_line


def plan(classes: list[Any], **fields: Any) -> BatchPlan:
    """Return a plan for these classes."""
    asked = {"chunk_rows": 10, "only_predictions": False, "format": "csv"} | fields
    return BatchPlan(model_version="m@1", digest="d", classes=classes, **asked)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, None], pa.int32()),
        pa.array([1.0, None]),
        pa.array([True, None]),
        pa.array([decimal.Decimal("1.0"), None]),
        pa.array(["1", None]),
        pa.array([" 1.0 ", "NA"]),
        pa.array(["true", ""]),
        pa.array(["1", "NA"]).dictionary_encode(),
        pa.array(["1", None], pa.large_string()),
    ],
)
def test_numbers_come_from_any_type(values: pa.Array) -> None:
    found = cells(pa.chunked_array([values]), "number", missing=("", "NA"))
    assert found.dtype == np.float64
    assert found[0] == 1.0
    assert np.isnan(found[1])


def test_what_is_no_number_stays_as_it_came() -> None:
    found = cells(pa.chunked_array([["x", "2", None]]), "number")
    assert found.tolist()[:2] == ["x", 2.0]
    assert cells(pa.chunked_array([pa.array([b"x"])]), "number").tolist() == [b"x"]


def test_column_of_nulls_is_missing() -> None:
    assert np.isnan(cells(pa.chunked_array([pa.nulls(2)]), "number")).all()


def test_text_stays_text_and_named_texts_are_missing() -> None:
    assert cells(pa.chunked_array([["a", "", "NA"]]), "string", missing=("", "NA")).tolist() == ["a", None, None]
    assert cells(pa.chunked_array([["a", ""]]), "string").tolist() == ["a", ""]


@pytest.mark.parametrize(
    ("classes", "name", "kind"),
    [
        (["no", "yes"], "probability_yes", pa.string()),
        ([0, 1], "probability_1", pa.int64()),
        ([False, True], "probability_true", pa.bool_()),
        ([0.5, 1.5], "probability_1.5", pa.float64()),
    ],
)
def test_labels_keep_their_type(classes: list[Any], name: str, kind: pa.DataType) -> None:
    table = output_table(plan(classes), pa.table({"x": [1]}), [7], [classes[1]], [[0.25, 0.75]])
    assert table.column("prediction").to_pylist() == [classes[1]]
    assert table.column("prediction").type == kind
    assert table.column(name).to_pylist() == [0.75]
    assert table.column("row").to_pylist() == [7]


def test_chunk_without_rows_has_the_same_columns() -> None:
    full = output_table(plan(["a", "b"]), pa.table({"x": [1]}), [0], ["a"], [[0.5, 0.5]])
    empty = output_table(plan(["a", "b"]), pa.table({"x": pa.array([], pa.int64())}), [], [], None)
    assert empty.schema == full.schema


def test_classifier_without_probabilities_has_empty_shares() -> None:
    table = output_table(plan(["a", "b"]), pa.table({"x": [1]}), [0], ["a"], None)
    assert np.isnan(table.column("probability_a").to_pylist()[0])


def test_refused_row_shows_values_json_has_no_form_for() -> None:
    line = rejected_line(3, "bad", {"x": decimal.Decimal("1.5")})
    assert line == b'{"row":3,"reason":"bad","values":{"x":"1.5"}}\n'
