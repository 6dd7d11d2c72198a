"""Schemas and definitions as YAML, read from and written for people."""

from pathlib import Path
from typing import Any

import yaml

from features.errors import FileMissingError, SchemaError, UnreadableFileError
from features.ground.errors import bounded


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileMissingError(f"no such file: {bounded(str(path))}", file=path.name) from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise UnreadableFileError(f"{path.name} is not YAML: {bounded(str(error), 200)}", file=path.name) from error


def read_schema(path: Path) -> dict[str, Any]:
    """Return a schema file: columns, and max_rejected where it says so."""
    body = read_yaml(path)
    body = {"columns": body} if isinstance(body, list) else body
    if (
        not isinstance(body, dict)
        or not isinstance(body.get("columns"), list)
        or body.keys() - {"columns", "max_rejected", "timezone"}
    ):
        raise SchemaError(f"{path.name} must hold columns, a list, and may hold max_rejected; got {bounded(body)}")
    return body


def schema_yaml(columns: list[dict[str, Any]], policy: dict[str, Any]) -> str:
    """Return a schema as a file `ingest --schema` takes, without what is not said."""
    short = [{key: value for key, value in column.items() if value is not None} for column in columns]
    return yaml.safe_dump({**policy, "columns": short}, sort_keys=False, allow_unicode=True)
