"""Read the configuration: base.yaml, one overlay, the environment; name the key of every fault."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from features.ground.errors import bounded
from mlsite.config.names import HONOURED, IS_SECRET, environment_names, is_ours
from mlsite.config.safety import faults
from mlsite.config.schema import Config

FOLDER = Path(__file__).resolve().parent
ENVIRONMENTS = ("dev", "staging", "prod")
EXIT_CONFIG = 78


class ConfigError(Exception):
    """The configuration can't be used; the text names the key and never holds a secret."""


class _Environment(EnvSettingsSource):
    """Environment variables given as a mapping, so that a test needs no global state."""

    def __init__(self, settings_cls: type[BaseSettings], environ: Mapping[str, str]) -> None:
        self.environ = {name.lower(): value for name, value in environ.items() if is_ours(name)}
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
        Environment variables; those of the process when not given. An empty one counts as not given.

    Returns
    -------
    Config
        Typed and checked.

    Raises
    ------
    ConfigError
        On an unknown key, a value of the wrong type, or an unsafe value; the text names the key.
    """
    environ = {name: value for name, value in (os.environ if environ is None else environ).items() if value}
    tree: dict[str, Any] = {}
    for file in _files(environ):
        _merge(tree, _read(file))
    try:
        config = Config.model_validate(_with_environment(tree, environ))
    except ValidationError as error:
        raise ConfigError(_explain(error)) from None
    if found := faults(config):
        raise ConfigError("\n".join(found))
    return config


def _files(environ: Mapping[str, str]) -> list[Path]:
    name = environ.get("APP_ENV", "dev")
    if name not in ENVIRONMENTS:
        raise ConfigError(f"app_env (APP_ENV): must be one of {', '.join(ENVIRONMENTS)}, got {bounded(repr(name))}")
    path = environ.get("CONFIG_PATH")
    return [FOLDER / "base.yaml", Path(path) if path else FOLDER / f"{name}.yaml"]


def _with_environment(tree: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    for name, key in HONOURED.items():
        if name in environ:
            _put(tree, key, environ[name])
    _merge(tree, _Environment(_Settings, environ)())
    return tree


def _read(file: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(f"CONFIG_PATH: can't read {file} ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"CONFIG_PATH: {file} is not UTF-8 text") from None
    except yaml.YAMLError as error:
        # The parser's own text quotes the file, and a line of it may hold a secret.
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise ConfigError(f"CONFIG_PATH: {file} is not YAML{where}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"CONFIG_PATH: {file} must hold keys and values, got a {type(tree).__name__}")
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
        inner = tree.get(section)
        # Something else than keys stands there: leave it, the schema names it.
        if inner is not None and not isinstance(inner, dict):
            return
        tree = tree.setdefault(section, {}) if inner is None else inner
    tree[last] = value


def _explain(error: ValidationError) -> str:
    return "\n".join(_fault(fault["loc"], fault["type"], fault["msg"], fault["input"]) for fault in error.errors())


def _fault(location: tuple[int | str, ...], kind: str, text: str, value: Any) -> str:
    key = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        return f"{bounded(key)}: unknown key; docs/settings.md lists every key"
    leaf = ".".join(str(part) for part in location if isinstance(part, str))
    names = f" ({', '.join(environment_names(leaf))})" if leaf in IS_SECRET else ""
    # Only a known key that holds no secret may show what came.
    got = f", got {bounded(repr(value))}" if IS_SECRET.get(leaf) is False else ""
    return f"{key}{names}: {text.removeprefix('Value error, ')}{got}"
