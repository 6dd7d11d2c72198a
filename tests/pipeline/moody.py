"""An estimator that is another one each time, as one that forgets its seed."""

import os
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class MoodyClassifier(ClassifierMixin, BaseEstimator):
    """Says what it likes today."""

    def fit(self, features: Any, target: Any) -> Self:
        """Learn the labels, and draw a mood."""
        self.classes_ = np.unique(target)
        self.mood_ = int.from_bytes(os.urandom(4)) / 2**32
        return self

    def predict_proba(self, features: Any) -> Any:
        """Return the mood."""
        return np.tile([1 - self.mood_, self.mood_], (features.shape[0], 1))

    def predict(self, features: Any) -> Any:
        """Return what is more probable."""
        return self.classes_[self.predict_proba(features).argmax(axis=1)]
