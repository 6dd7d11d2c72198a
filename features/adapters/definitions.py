"""Feature views as they are declared in files: YAML, or Python."""

import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.adapters.yaml_files import read_yaml
from features.core.windows import ViewDefinition
from features.errors import DefinitionError, FileMissingError, UnreadableFileError
from features.ground.errors import bounded

Declared = Mapping[str, Any] | ViewDefinition


def read_definitions(path: Path) -> list[Declared]:
    """Return the feature views of a file: in YAML a list under `views`, or one alone; in Python the list `VIEWS`.

    A Python file is run, with the rights of who names it.
    """
    if path.suffix == ".py":
        return _declared(path, _run(path).get("VIEWS"), "VIEWS, a list of view definitions")
    body = read_yaml(path)
    items = body["views"] if isinstance(body, dict) and "views" in body else [body]
    return _declared(path, items, "views, a list, or one view")


def _run(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileMissingError(f"no such file: {bounded(str(path))}", file=path.name)
    try:
        return runpy.run_path(str(path))
    except Exception as error:
        raise UnreadableFileError(
            f"{path.name} does not run: {type(error).__name__}: {bounded(str(error), 200)}", file=path.name
        ) from error


def _declared(path: Path, items: Any, what: str) -> list[Declared]:
    if not isinstance(items, list | tuple) or not items:
        raise DefinitionError(f"{path.name} must hold {what}; got {bounded(repr(items))}")
    return list(items)
