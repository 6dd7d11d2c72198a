"""Typed configuration: base.yaml, one overlay, environment variables."""

from mlsite.config.load import ConfigError, load
from mlsite.config.schema import Config

__all__ = ["Config", "ConfigError", "load"]
