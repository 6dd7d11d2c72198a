from django.apps import AppConfig


class FeaturesConfig(AppConfig):
    name = "features"
    verbose_name = "Data and features"
    default_auto_field = "django.db.models.BigAutoField"
