"""Read the configuration and refuse an unsafe one."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from mlsite.config.schema import Config

FOLDER = Path(__file__).resolve().parent
MIN_SECRET_BYTES = 32
EXIT_CONFIG = 78

# Names honoured from the original system, beside each key's own upper-case name.
HONOURED = {
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


class ConfigError(Exception):
    """The configuration can't be used; the text names the key."""


class _Environment(EnvSettingsSource):
    """Environment variables given as a mapping, so that a test needs no global state."""

    def __init__(self, settings_cls: type[BaseSettings], environ: Mapping[str, str]) -> None:
        self.environ = {key.lower(): value for key, value in environ.items()}
        super().__init__(settings_cls, env_nested_delimiter="__")

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self.environ


class _Settings(BaseSettings, Config):
    """The same keys, in the form the environment source reads."""

    model_config = SettingsConfigDict(extra="ignore")


def load(environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration of this process.

    Parameters
    ----------
    environ : mapping, optional
        Environment variables; those of the process when not given.

    Returns
    -------
    Config
        Typed and checked.

    Raises
    ------
    ConfigError
        On an unknown key, a value of the wrong type, or an unsafe value; the text names the key.
    """
    environ = os.environ if environ is None else environ
    env_name = environ.get("APP_ENV", "dev")
    files = [FOLDER / "base.yaml"]
    if path := environ.get("CONFIG_PATH"):
        files.append(Path(path))
    else:
        files.append(FOLDER / f"{env_name}.yaml")
    tree: dict[str, Any] = {}
    for file in files:
        _merge(tree, _read(file))
    try:
        config = Config.model_validate(_with_environment(tree, environ))
    except ValidationError as error:
        raise ConfigError(_explain(error)) from error
    _refuse_unsafe(config)
    return config


def _with_environment(tree: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    for name, key in HONOURED.items():
        if name in environ:
            _put(tree, key, environ[name])
    try:
        _merge(tree, _Environment(_Settings, environ)())
    except SettingsError as error:
        raise ConfigError(f"environment: {error}") from error
    return tree


def _read(file: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(file.read_text()) or {}
    except OSError as error:
        raise ConfigError(
            f"APP_ENV or CONFIG_PATH: can't read {file} ({error.strerror}); APP_ENV is dev, staging or prod"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"CONFIG_PATH: {file} is not YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"CONFIG_PATH: {file} must hold keys and values, got {type(tree).__name__}")
    return tree


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _put(tree: dict[str, Any], key: str, value: str) -> None:
    *sections, last = key.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
    tree[last] = value


def _explain(error: ValidationError) -> str:
    lines = []
    for fault in error.errors():
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            lines.append(f"{key}: unknown key; docs/settings.md lists every key")
            continue
        secret = any(word in key for word in ("secret", "key", "token", "password", "webhook", "url"))
        got = "" if secret else f", got {fault['input']!r}"
        lines.append(f"{key}: {fault['msg']}{got}")
    return "\n".join(lines)


def _refuse_unsafe(config: Config) -> None:
    faults = []
    if bool(config.ssl_cert) != bool(config.ssl_key):
        faults.append("ssl_cert, ssl_key: give both or neither")
    if config.app_env != "dev":
        faults += _unsafe_outside_dev(config)
    if faults:
        raise ConfigError("\n".join(faults))


def _unsafe_outside_dev(config: Config) -> list[str]:
    faults = []
    secrets = {
        "security.secret_key (SECRET_KEY)": config.security.secret_key.get_secret_value(),
        "security.jwt_secret (JWT_SECRET)": config.security.jwt_secret.get_secret_value(),
    }
    for key, value in secrets.items():
        if len(value.encode()) < MIN_SECRET_BYTES or len(set(value)) < 8:
            faults.append(
                f"{key}: must be random and at least {MIN_SECRET_BYTES} bytes outside dev, got {len(value.encode())} bytes"
            )
        elif value.lower().startswith(("change", "secret", "default", "django-insecure", "example")):
            faults.append(f"{key}: a default value is not a secret; set a random one outside dev")
    if len(set(secrets.values())) < len(secrets) and all(secrets.values()):
        faults.append("security.jwt_secret (JWT_SECRET): must differ from SECRET_KEY")
    if config.debug:
        faults.append(f"debug (DEBUG): must be off when APP_ENV is {config.app_env}, got on")
    if not config.enable_auth:
        faults.append(f"enable_auth (ENABLE_AUTH): may be off only in dev, got off when APP_ENV is {config.app_env}")
    if "*" in config.server.allowed_hosts or not config.server.allowed_hosts:
        faults.append("server.allowed_hosts: name the hosts outside dev, got '*' or none")
    return faults
