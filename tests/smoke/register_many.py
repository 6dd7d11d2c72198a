"""Register versions whose answers all differ, and put the first in production: `register_many N`."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlsite.settings")
django.setup()

from models_store.actions.promote import promote  # noqa: E402 (the app registry must be ready first)
from tests.models_store.made import classifier, made, no_gates  # noqa: E402

if __name__ == "__main__":
    for number in range(1, int(sys.argv[1]) + 1):
        made(files={"model.onnx": classifier(number / 10)}, policy=no_gates())
    promote("flights@1", target_stage="production", reason="the first", actor="cli:smoke")
