from django.apps import AppConfig


class PipelineConfig(AppConfig):
    name = "pipeline"
    verbose_name = "Jobs and monitoring"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from pipeline import tasks  # noqa: F401 (connects who rings the bell)
