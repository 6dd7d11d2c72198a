from django.apps import AppConfig


class ModelsStoreConfig(AppConfig):
    name = "models_store"
    verbose_name = "Registry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Keep the audit chain for every floor."""
        from features.ground.audit import keep_audit_with
        from models_store.actions.audit import append_audit

        keep_audit_with(append_audit)
