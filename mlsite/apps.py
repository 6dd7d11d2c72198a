from django.apps import AppConfig


class MlsiteConfig(AppConfig):
    name = "mlsite"
    verbose_name = "Site"

    def ready(self) -> None:
        from mlsite.celery import app  # the app must exist before a task is sent, and needs the settings
        from mlsite.logs import configure

        configure()
        app.set_default()
