"""Which functions of the actions reach which others, read from the source."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.house.source import APPS, name, python_files, tree

Function = ast.FunctionDef | ast.AsyncFunctionDef


def dotted(file: Path) -> str:
    """Return a file's module."""
    return name(file).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def known() -> dict[str, ast.AST]:
    """Return every function and class of the apps by its dotted name, methods as part of their class."""
    return {
        f"{dotted(file)}.{node.name}": node
        for file in python_files(*APPS)
        for node in tree(file).body
        if isinstance(node, Function | ast.ClassDef)
    }


@cache
def names_of(module: str) -> dict[str, str]:
    """Return what each name of a module stands for: its own functions, and what it imports."""
    own = {item.rpartition(".")[2]: item for item in known() if item.rpartition(".")[0] == module}
    file = next(file for file in python_files(*APPS) if dotted(file) == module)
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.ImportFrom) and node.module:
            own |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return own


@cache
def reached(item: str) -> frozenset[str]:
    """Return every function that a function can come to, itself included."""
    found: set[str] = set()
    todo = [item]
    while todo:
        one = todo.pop()
        if one in found:
            continue
        found.add(one)
        if one in known():
            names = names_of(one.rpartition(".")[0])
            todo += [names[used] for used in _used(known()[one]) if used in names]
    return frozenset(found)


def _used(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id
