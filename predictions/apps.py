from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PredictionsConfig(AppConfig):
    name = "predictions"
    verbose_name = "Serving"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Count the prediction log for the gates, and see to the roles."""
        from models_store.adapters.traffic import count_traffic_with
        from predictions.adapters.reads import trial_traffic

        count_traffic_with(trial_traffic)
        # Permissions exist only after the registry's own tables were migrated.
        post_migrate.connect(_ensure_roles, sender=self)
        from models_store.adapters.served import reach_served_with

        reach_served_with(_served)


def _served(model: str) -> Any:
    from predictions.actions.ask_served import served

    return served(model)


def _ensure_roles(using: str, **_: Any) -> None:
    from features.ground.roles import ADMIN, APPROVER, PROMOTER, ROLES
    from predictions.actions.ensure_roles import ensure_roles

    if using == "default":
        ensure_roles(ROLES, promoters=(ADMIN, PROMOTER), approvers=(ADMIN, APPROVER), waivers=(ADMIN,))
