"""A version's threshold decides its labels through every engine and every door."""

from typing import Any

import numpy as np
import pytest

from models_store.core.schema import checked_output_schema
from models_store.errors import BadVersionError
from predictions.adapters.runtime import OnnxRuntime, SklearnRuntime
from predictions.core.threshold import labels_at
from tests.predictions.tiny import SCHEMA, trained

CLASSES = ["big", "small"]
FRAME = {
    "length": np.linspace(0, 10, 41),
    "width": np.zeros(41),
    "colour": np.array(["red"] * 41, dtype=object),
}


def runtimes(threshold: float | None) -> list[Any]:
    files = trained(0, False)
    answers = {"task": "classification", "classes": CLASSES} | ({} if threshold is None else {"threshold": threshold})
    return [
        OnnxRuntime(files["model.onnx"], SCHEMA, answers),
        SklearnRuntime(files["model.joblib"], SCHEMA, answers),
    ]


@pytest.mark.parametrize("threshold", [0.05, 0.5, 0.9])
def test_both_engines_answer_the_label_of_the_threshold(threshold: float) -> None:
    graph, own = (runtime.score(FRAME) for runtime in runtimes(threshold))
    assert graph.predictions == own.predictions
    assert own.predictions == ["small" if share >= threshold else "big" for share in own.probabilities[:, 1].tolist()]


def test_threshold_changes_labels_and_no_probability() -> None:
    for plain, cautious in zip(runtimes(None), runtimes(0.95), strict=True):
        before, after = plain.score(FRAME), cautious.score(FRAME)
        assert before.predictions.count("small") > after.predictions.count("small") > 0
        assert np.array_equal(before.probabilities, after.probabilities)


def test_row_gets_the_same_label_alone_and_among_others() -> None:
    for runtime in runtimes(0.3):
        whole = runtime.score(FRAME).predictions
        alone = [runtime.score({name: values[[at]] for name, values in FRAME.items()}).predictions for at in range(41)]
        assert [label for (label,) in alone] == whole


def test_probability_at_the_threshold_is_the_second_class() -> None:
    assert labels_at(np.array([[0.75, 0.25], [0.5, 0.5]], dtype=np.float32), CLASSES, 0.25) == ["small", "small"]


@pytest.mark.parametrize("threshold", [0.0, 1.0, "0.5", True, float("nan")])
def test_threshold_that_can_not_be_one_is_refused(threshold: Any) -> None:
    with pytest.raises(
        BadVersionError, match="a threshold is a number between 0 and 1, of a classifier of two classes"
    ):
        checked_output_schema({"classes": CLASSES, "threshold": threshold}, "classification")


def test_threshold_of_three_classes_is_refused() -> None:
    with pytest.raises(BadVersionError, match=r"got 0\.5 for 3 classes"):
        checked_output_schema({"classes": ["a", "b", "c"], "threshold": 0.5}, "classification")
