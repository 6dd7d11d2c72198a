"""Models that no one wants to wait for, and one of them registered: `fault_shadow SlowModel|CrashingModel`."""

import io
import os
import sys
import time
from typing import Any

import joblib
import numpy as np

SLOW_S = 5.0


class SlowModel:
    """Takes its time, save while it is loaded and warmed: it would not become a shadow."""

    def predict(self, table: Any) -> Any:
        if (table.to_numpy() != 0).any():
            time.sleep(SLOW_S)
        return np.zeros(len(table), dtype=int)

    def predict_proba(self, table: Any) -> Any:
        return np.tile([1.0, 0.0], (len(table), 1))


class CrashingModel(SlowModel):
    """Raises something nobody thought of."""

    def predict(self, table: Any) -> Any:
        if (table.to_numpy() != 0).any():
            raise RuntimeError("the shadow has crashed")
        return np.zeros(len(table), dtype=int)


def register(kind: str) -> int:
    """Register a version whose model is of this kind."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlsite.settings")
    django.setup()
    from benchmarks import fault_shadow
    from tests.models_store.made import made

    blob = io.BytesIO()
    joblib.dump(getattr(fault_shadow, kind)(), blob)
    return made(files={"model.joblib": blob.getvalue()}, engine="sklearn").number


if __name__ == "__main__":
    print(register(sys.argv[1]))
