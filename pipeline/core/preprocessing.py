"""Which columns a model predicts from, and how they are made into numbers.

Everything here is made of scikit-learn's, numpy's and pandas' own parts, so that a saved pipeline opens anywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from pipeline.core.training_errors import NoFeaturesError

MAX_LEVELS = 200
OneHot = Literal["sparse", "dense"]
NUMBER_DTYPES = ("integer", "number", "boolean")


@dataclass(frozen=True, kw_only=True, slots=True)
class Features:
    """The columns a model takes.

    Attributes
    ----------
    names : tuple of str
        All of them, in the snapshot's order: the order of a row in a request.
    categorical : frozenset of str
        Those that hold text; the others are numbers.
    dropped : dict of str to str
        Columns that are not used, each with the reason.
    """

    names: tuple[str, ...]
    categorical: frozenset[str]
    dropped: dict[str, str]

    @property
    def numbers(self) -> list[str]:
        """Return the names of the columns that hold numbers."""
        return [name for name in self.names if name not in self.categorical]

    @property
    def categories(self) -> list[str]:
        """Return the names of the columns that hold text."""
        return [name for name in self.names if name in self.categorical]


def choose_features(
    columns: Sequence[Mapping[str, Any]], target: str, frame: pd.DataFrame, train: npt.NDArray[np.int64]
) -> Features:
    """Choose the columns to predict from, looking at training rows only.

    Parameters
    ----------
    columns : sequence of mapping
        The snapshot's columns: name, dtype, role.
    target : str
        The column to predict.
    frame : DataFrame of n_rows rows
        The columns of role feature, at least.
    train : ndarray of shape (n_train,)
        Positions of the training rows.

    Returns
    -------
    Features
        Columns of role feature, without timestamps, empty columns, and texts with more than 200 levels.

    Raises
    ------
    NoFeaturesError
        If none is left.
    """
    dropped: dict[str, str] = {}
    kept: list[Mapping[str, Any]] = []
    for column in columns:
        if column["name"] == target:
            continue
        reason = _reason_to_drop(column, frame, train)
        if reason:
            dropped[column["name"]] = reason
        else:
            kept.append(column)
    if not kept:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in dropped.items()) or "the target is the only column"
        raise NoFeaturesError(f"no column is left to predict {target} from ({reasons})", dropped=dropped)
    names = tuple(column["name"] for column in kept)
    texts = frozenset(column["name"] for column in kept if column["dtype"] not in NUMBER_DTYPES)
    return Features(names=names, categorical=texts, dropped=dropped)


def _reason_to_drop(column: Mapping[str, Any], frame: pd.DataFrame, train: npt.NDArray[np.int64]) -> str:
    if column["role"] != "feature":
        return f"its role is {column['role']}"
    if column["dtype"] == "timestamp":
        return "a point in time says nothing about later rows; give an age or a part of the date"
    values = frame[column["name"]].iloc[train]
    if not values.notna().any():
        return "no training row has a value"
    if column["dtype"] not in NUMBER_DTYPES and (levels := values.nunique()) > MAX_LEVELS:
        return f"{levels} levels, more than {MAX_LEVELS}"
    return ""


def preprocessor(features: Features, *, scales: bool, imputes: bool, one_hot: OneHot | None) -> ColumnTransformer:
    """Return the unfitted step that turns a frame of the features into a matrix.

    Numbers are rounded to float32 first, as an ONNX graph takes them: what the model learns from is then what it will
    be served, and no value changes sides of a tree's threshold. A missing text is a level of its own; a level that
    training never saw is none of the known ones.

    Parameters
    ----------
    features : Features
        The columns.
    scales : bool
        Whether numbers are brought to mean 0 and deviation 1, as linear models and neighbours need.
    imputes : bool
        Whether a missing number becomes the training median; else NaN reaches the model.
    one_hot : {"sparse", "dense"} or None
        How a category becomes one column per level; None makes it its rank among the levels, -1 for an unseen one.

    Returns
    -------
    ColumnTransformer
        Takes a DataFrame with the features as float64 and text columns.
    """
    number_steps: list[tuple[str, Any]] = [
        ("round", FunctionTransformer(np.float32, feature_names_out="one-to-one")),
        ("widen", FunctionTransformer(np.float64, feature_names_out="one-to-one")),
    ]
    if imputes:
        number_steps.append(("impute", SimpleImputer(strategy="median")))
    if scales:
        number_steps.append(("scale", StandardScaler()))
    encoder = (
        OneHotEncoder(handle_unknown="ignore", sparse_output=one_hot == "sparse")
        if one_hot
        else OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    )
    fill = FunctionTransformer(pd.DataFrame.fillna, kw_args={"value": ""}, feature_names_out="one-to-one")
    parts = [
        ("numbers", Pipeline(number_steps), features.numbers),
        ("categories", Pipeline([("fill", fill), ("encode", encoder)]), features.categories),
    ]
    return ColumnTransformer([part for part in parts if part[2]])
