from django.apps import AppConfig
from django.conf import settings


class MlsiteConfig(AppConfig):
    name = "mlsite"
    verbose_name = "Site"

    def ready(self) -> None:
        from mlsite.celery import app  # the app must exist before a task is sent, and needs the settings
        from mlsite.logs import configure

        configure()
        app.set_default()

        if settings.CONFIG.tracing.endpoint:
            from mlsite.tracing import start_tracing

            start_tracing()

        from features.ground.refusals import refused_at_the_door
        from mlsite.refusals import keep_form_refusal

        refused_at_the_door.connect(keep_form_refusal)
