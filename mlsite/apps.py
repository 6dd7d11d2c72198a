from django.apps import AppConfig


class MlsiteConfig(AppConfig):
    name = "mlsite"
    verbose_name = "Site"

    def ready(self) -> None:
        from mlsite.celery import app  # the app must exist before a task is sent, and needs the settings
        from mlsite.logs import configure

        configure()
        app.set_default()

        from features.ground.refusals import refused_at_the_door
        from mlsite.refusals import keep_form_refusal

        refused_at_the_door.connect(keep_form_refusal)
