"""Every error has a code of its own, a kind, a status and an exit code, and is listed."""

import ast
import importlib
import re

from features.ground import errors
from mlsite import api, cli
from mlsite.config.schema import ROOT
from tests.house.source import APPS, name, python_files, tree

KINDS = {kind for kind in api.STATUSES if kind is not errors.DomainError}
ROW = re.compile(r"^\| `(?P<code>\w+)` \| (?P<status>\d+) \| (?P<exit>\d+) \| (?P<meaning>[^|]+) \|$", re.M)


def below(kind: type[errors.DomainError]) -> set[type[errors.DomainError]]:
    """Return every class that descends from a class."""
    return {kind}.union(*(below(child) for child in kind.__subclasses__()))


def raised() -> list[type[errors.DomainError]]:
    """Return the errors that are raised: neither a kind nor an app's base, and not made by a test."""
    for file in python_files(*APPS):
        if "class " in (text := file.read_text()) and re.search(r"class \w+Error\(", text):
            importlib.import_module(name(file).removesuffix(".py").replace("/", "."))
    bases = {f"{app}.errors" for app in APPS}
    found = below(errors.DomainError) - KINDS - {errors.DomainError}
    own = [error for error in found if error.__module__.split(".")[0] in APPS]
    return sorted((e for e in own if not (e.__module__ in bases and e.__bases__ == (errors.DomainError,))), key=str)


def test_every_error_is_of_one_kind():
    assert [error.__name__ for error in raised() if sum(issubclass(error, kind) for kind in KINDS) != 1] == []


def test_every_error_has_a_code_of_its_own():
    assert [error.__name__ for error in raised() if "code" not in vars(error)] == []
    codes = [error.code for error in [*raised(), *KINDS]]
    assert sorted({code for code in codes if codes.count(code) > 1}) == []


def test_every_error_ends_in_error_and_is_described():
    assert [error.__name__ for error in raised() if not (error.__name__.endswith("Error") and error.__doc__)] == []


def test_errors_page_lists_every_error_with_status_and_exit_code():
    page = {
        row["code"]: (int(row["status"]), int(row["exit"]))
        for row in ROW.finditer((ROOT / "docs/errors.md").read_text())
    }
    listed = [*raised(), *KINDS]
    assert page == {e.code: (api.status_of(e("x")), cli.exit_code(e("x"))) for e in listed}


def test_errors_are_raised_with_a_message():
    # `raise SomeError` without a text tells a person nothing.
    names = {error.__name__ for error in raised()} | {kind.__name__ for kind in KINDS}
    silent = [
        f"{name(file)}:{node.lineno}"
        for file in python_files(*APPS)
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Raise) and getattr(node.exc, "id", None) in names
    ]
    assert silent == []
