"""Serving in the console: predictions, outcomes, stream positions, keys, and a canary beside production."""

from features.ground.console import add_panels
from predictions.admin.keys import ApiKeyAdmin
from predictions.admin.log import OutcomeAdmin, PredictionAdmin
from predictions.admin.serving import canary_panels, loaded_panels
from predictions.admin.streams import StreamPositionAdmin

add_panels("models_store.modelversion", canary_panels, after="Gates")
add_panels("models_store.registeredmodel", loaded_panels)

__all__ = ["ApiKeyAdmin", "OutcomeAdmin", "PredictionAdmin", "StreamPositionAdmin"]
