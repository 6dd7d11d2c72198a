from django.apps import AppConfig


class ModelsStoreConfig(AppConfig):
    name = "models_store"
    verbose_name = "Registry"
    default_auto_field = "django.db.models.BigAutoField"
