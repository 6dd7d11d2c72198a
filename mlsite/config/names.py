"""The names of a key: dotted in files, upper case in the environment, and those honoured from the original system."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pydantic import BaseModel, SecretStr

from mlsite.config.schema import Config

# Short names honoured from the original system, beside each key's own upper-case name.
HONOURED: Mapping[str, str] = MappingProxyType(
    {
        "JWT_SECRET": "security.jwt_secret",
        "SECRET_KEY": "security.secret_key",
        "MODEL_RETRIES": "model.retries",
        "MODEL_RETRY_DELAY": "model.retry_delay",
        "MAX_REQUEST_SIZE": "security.max_request_size",
        "CACHE_SIZE": "model.cache_size",
        "PORT": "server.port",
        "SLACK_WEBHOOK": "alerts.slack_webhook",
        "DATABASE_URL": "database.url",
        "REDIS_URL": "redis.url",
        "STORAGE_URL": "storage.url",
        "KAFKA_BOOTSTRAP_SERVERS": "streaming.kafka.bootstrap_servers",
    }
)


def _leaves(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, bool]]:
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _leaves(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", kind is SecretStr


IS_SECRET: Mapping[str, bool] = MappingProxyType(dict(_leaves(Config, "")))
"""Every key by its dotted name, and whether its value may never be shown."""

SECTIONS = frozenset(key.split(".")[0] for key in IS_SECRET if "." in key)


def environment_names(key: str) -> tuple[str, ...]:
    """Return the environment variables that set a key, the short one first."""
    short = tuple(name for name, target in HONOURED.items() if target == key)
    return (*short, key.replace(".", "__").upper())


def is_ours(variable: str) -> bool:
    """Tell whether an environment variable names a key, or something below a section of keys.

    A section's bare name is not ours: `MODEL` and `SERVER` mean other things on many machines.
    """
    section, _, rest = variable.lower().partition("__")
    return section in SECTIONS if rest else section in IS_SECRET
