"""The project's own source files, as the house rules see them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from mlsite.config.schema import ROOT

APPS = ("features", "models_store", "predictions", "pipeline", "mlsite")


def python_files(*folders: str) -> list[Path]:
    """Return the Python files below some folders, migrations left out."""
    found = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return sorted(file for file in found if "migrations" not in file.parts)


@cache
def tree(file: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(file.read_text(), str(file))


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method of a file."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def name(file: Path) -> str:
    """Return a file's path from the root of the project."""
    return file.relative_to(ROOT).as_posix()
