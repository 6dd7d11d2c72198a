from typing import Any
from uuid import UUID

from django.apps import AppConfig


class PipelineConfig(AppConfig):
    name = "pipeline"
    verbose_name = "Jobs and monitoring"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from pipeline.signals import alert_raised, run_queued

        run_queued.connect(_ring_for_run)
        alert_raised.connect(_ring_for_alert)


# What a worker does takes a while to import: whoever rings waits for it, and whoever never does, does not.
def _ring_for_run(run_id: UUID, kind: str, **_: Any) -> None:
    from pipeline.tasks import ring_for_run

    ring_for_run(run_id, kind)


def _ring_for_alert(**_: Any) -> None:
    from pipeline.tasks import ring_for_alert

    ring_for_alert()
