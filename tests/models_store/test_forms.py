import math

import numpy as np
import pytest

from models_store.core.allowed import is_allowed
from models_store.core.manifest import parse_manifest
from models_store.core.sample import sample_rows
from models_store.core.schema import checked_input_schema, checked_output_schema
from models_store.core.text import finite
from models_store.errors import (
    ArtefactCorruptError,
    BadVersionError,
)


def test_sample_stays_in_range():
    schema = [
        {"name": "free", "dtype": "number"},
        {"name": "both", "dtype": "number", "min": 2, "max": 4},
        {"name": "low", "dtype": "number", "min": 5},
        {"name": "high", "dtype": "number", "max": 5},
        {"name": "word", "dtype": "string"},
        {"name": "one_of", "dtype": "string", "allowed": ["x", "y"]},
    ]
    rows = sample_rows(schema, rows=3)
    assert rows[0] == [-1.0, 2.0, 5.0, 3.0, "a", "x"]
    assert rows[2] == [1.0, 4.0, 7.0, 5.0, "c", "x"]
    assert sample_rows(schema[:1], rows=1) == [[-1.0]]


def test_schema_is_completed():
    assert checked_input_schema([{"name": "a"}, {"name": "b", "dtype": "string", "allowed": ["x"]}]) == [
        {"name": "a", "dtype": "number", "nullable": False, "min": None, "max": None},
        {"name": "b", "dtype": "string", "nullable": False, "min": None, "max": None, "allowed": ["x"]},
    ]


@pytest.mark.parametrize(
    "columns",
    [
        [],
        ["a"],
        [{"name": ""}],
        [{"dtype": "number"}],
        [{"name": "a"}, {"name": "a"}],
        [{"name": "a", "dtype": "integer"}],
        [{"name": "a", "unit": "m"}],
        [{"name": "a", "min": "0"}],
        [{"name": "a", "min": 2, "max": 1}],
        [{"name": "a", "allowed": "x"}],
        [{"name": str(index)} for index in range(2001)],
    ],
)
def test_schema_with_a_fault_is_refused(columns):
    with pytest.raises(BadVersionError):
        checked_input_schema(columns)


@pytest.mark.parametrize(
    ("output", "task"),
    [({}, "clustering"), ({"task": "regression"}, "classification"), ({"classes": [1]}, "classification")],
)
def test_output_that_fits_no_task_is_refused(output, task):
    with pytest.raises(BadVersionError):
        checked_output_schema(output, task)


def test_regression_has_no_classes():
    assert checked_output_schema({"classes": [1, 2]}, "regression") == {"task": "regression", "classes": []}


def test_number_that_is_not_finite_becomes_null():
    given = {"a": (math.nan, math.inf, 1), 2: np.float32("nan"), "b": np.arange(2), "c": None}
    assert finite(given) == {"a": [None, None, 1], "2": None, "b": [0, 1], "c": None}


def test_value_without_a_json_form_is_refused():
    with pytest.raises(TypeError, match="no JSON form for set"):
        finite({"a": {1}})


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b'{"format": 2}', b'{"format": 1, "files": {"../a": {"size": 1, "sha256": "x"}}}']
)
def test_signed_bytes_that_are_no_manifest_are_refused(data):
    with pytest.raises(ArtefactCorruptError, match="manifest"):
        parse_manifest(data)


@pytest.mark.parametrize(
    ("module", "name", "is_class", "allowed"),
    [
        ("sklearn.linear_model._logistic", "LogisticRegression", True, True),
        ("numpy._core.multiarray", "_reconstruct", False, True),
        ("sklearn._loss._loss", "__pyx_unpickle_CyHalfBinomialLoss", False, True),
        ("builtins", "list", True, True),
        ("builtins", "eval", False, False),
        ("builtins", "getattr", False, False),
        ("os", "system", False, False),
        ("posix", "system", False, False),
        ("numpy", "load", False, False),
        ("numpy.testing._private.utils", "runstring", False, False),
        ("numpy.f2py.capi_maps", "Popen", True, False),
        ("sklearn.linear_model", "os.system", True, False),
        ("pandas.io.pytables", "HDFStore", True, False),
        ("joblib.numpy_pickle", "load", False, False),
        ("subprocess", "Popen", True, False),
    ],
)
def test_names_a_foreign_pickle_may_use(module, name, is_class, allowed):
    assert is_allowed(module, name, is_class=is_class) is allowed
