"""The registry in the console: models, versions, promotion and the audit trail."""

from models_store.admin import events, models, records, requests, versions

__all__ = ["events", "models", "records", "requests", "versions"]
