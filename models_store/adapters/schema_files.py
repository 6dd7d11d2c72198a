"""Input schemas as YAML files."""

from pathlib import Path
from typing import Any

import yaml

from features.ground.errors import bounded
from models_store.core.schema import checked_input_schema
from models_store.errors import BadVersionError

MAX_BYTES = 1024 * 1024


def read_schema(path: Path) -> list[dict[str, Any]]:
    """Read a list of columns, or a mapping with that list under `columns`."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        data = yaml.safe_load(text) if len(text) <= MAX_BYTES else None
    except OSError as error:
        raise BadVersionError(f"can't read the schema {bounded(str(path))}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadVersionError(f"the schema {bounded(path.name)} is not YAML: {bounded(str(error), 200)}") from error
    columns = data.get("columns") if isinstance(data, dict) else data
    if not isinstance(columns, list):
        raise BadVersionError(
            f"the schema {bounded(path.name)} must hold a list of columns, of at most {MAX_BYTES} bytes"
        )
    return checked_input_schema(columns)
