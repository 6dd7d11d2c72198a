"""The registry in the console: models, versions, promotion and the audit trail."""

from models_store.admin import models, records, versions

__all__ = ["models", "records", "versions"]
