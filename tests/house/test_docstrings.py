"""Public names of core/ and actions/ carry a numpy-form docstring."""

import ast
import importlib
import inspect
from types import ModuleType

import pytest
from numpydoc.validate import validate

from tests.house.source import APPS, name, python_files, tree

FILES = [file for file in python_files(*APPS) if {"core", "actions"} & set(file.parts)]

# The fields of a dataclass and of a protocol are typed and named in its body; saying them again would only age.
OF_THE_BODY = {"PR01"}

# What numpydoc asks for and this project does not.
NOT_ASKED = {
    "ES01": "an extended summary, where the first line says all",
    "SA01": "a See Also section",
    "EX01": "examples; the tests hold them",
    "GL01": "the summary on the line after the quotes; here it starts beside them",
    "YD01": "a Yields section, where the Returns type says Iterator",
    "PR06": "type names in one spelling; here they are as people say them",
    "PR08": "a capital first letter; a description may begin with a literal value",
    "RT04": "the same",
    "PR03": "one order of parameters; those given by keyword are grouped by what they are",
    "RT03": "a description of a returned value whose type says all",
}


def public(module: ModuleType) -> list[str]:
    """Return the public functions and classes a module defines, errors left out."""
    own = [
        item
        for key, item in vars(module).items()
        if not key.startswith("_") and getattr(item, "__module__", "") == module.__name__
    ]
    kinds = [item for item in own if inspect.isfunction(item) or inspect.isclass(item)]
    return [item.__name__ for item in kinds if not (inspect.isclass(item) and issubclass(item, Exception))]


def faults(dotted: str, item: str) -> list[str]:
    """Return what numpydoc holds against one name."""
    known = getattr(importlib.import_module(dotted), item)
    ignored = NOT_ASKED.keys() | (OF_THE_BODY if inspect.isclass(known) else set())
    return [f"{code}: {text}" for code, text in validate(f"{dotted}.{item}")["errors"] if code not in ignored]


@pytest.mark.parametrize("file", FILES, ids=name)
def test_docstrings_say_what_a_caller_needs(file):
    dotted = name(file).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    found = {item: faults(dotted, item) for item in public(importlib.import_module(dotted))}
    assert {item: texts for item, texts in found.items() if texts} == {}


def test_every_module_says_what_it_is_for():
    modules = [file for file in python_files(*APPS) if file.name != "__init__.py" and file.stat().st_size]
    plain = {"apps.py"}
    assert [name(file) for file in modules if file.name not in plain and not ast.get_docstring(tree(file))] == []
