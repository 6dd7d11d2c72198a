"""Schemas and definitions as YAML, read from and written for people."""

from pathlib import Path
from typing import Any

import yaml

from features.core.contract import Contract
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
    """Return a contract file: columns, and what else it says of the rows; a list is columns alone."""
    body = read_yaml(path)
    body = {"columns": body} if isinstance(body, list) else body
    if not isinstance(body, dict) or not isinstance(body.get("columns"), list):
        raise SchemaError(f"{path.name} must hold columns, a list, and may hold max_rejected; got {bounded(body)}")
    return body


def contract_yaml(contract: Contract) -> str:
    """Return a contract as a file `ingest --schema` and `schema --import` take, without what is not said."""
    terms = contract.terms()
    short = [{key: value for key, value in column.items() if value is not None} for column in terms["columns"]]
    return yaml.safe_dump({**terms, "columns": short}, sort_keys=False, allow_unicode=True)


def said(text: str, *, literal: bool) -> Any:
    """Return a value as it is written in a command: YAML, or the text itself; nothing takes back what was said."""
    if literal or not text:
        return text or None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SchemaError(f"a value is written as in YAML: 5, true, [a, b]; got {bounded(text)!r}") from error
