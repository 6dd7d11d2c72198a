"""Serving in the console: predictions, outcomes, keys, and a canary beside production."""

from features.ground.console import add_panels
from predictions.admin.canary import canary_panels
from predictions.admin.keys import ApiKeyAdmin
from predictions.admin.log import OutcomeAdmin, PredictionAdmin

add_panels("models_store.modelversion", canary_panels)

__all__ = ["ApiKeyAdmin", "OutcomeAdmin", "PredictionAdmin"]
