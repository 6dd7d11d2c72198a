"""docs/settings.md says what the schema says, and every setting is used."""

import ast
import re
from pathlib import Path

from tests.house.settings_table import PAGE, documented, expected
from tests.house.source import APPS, python_files, tree


def test_every_key_has_a_row():
    assert sorted(expected().keys() - documented().keys()) == []


def test_every_row_is_a_key():
    assert sorted(documented().keys() - expected().keys()) == []


def test_no_key_has_two_rows():
    keys = re.findall(r"^\| `([\w.]+)` \|", PAGE.read_text(), re.M)
    assert len(keys) == len(set(keys))


def test_rows_name_the_variables_and_the_default():
    page = {key: (names, default) for key, (names, default, _) in documented().items()}
    wrong = {key: (page[key], wanted) for key, wanted in expected().items() if key in page and page[key] != wanted}
    assert wrong == {}


def test_rows_say_what_the_key_does():
    assert [key for key, (_, _, meaning) in documented().items() if len(meaning) < 10] == []


def _attributes(file: Path) -> set[str]:
    return {node.attr for node in ast.walk(tree(file)) if isinstance(node, ast.Attribute)}


def test_every_key_is_read_somewhere():
    # A key counts as read where one file names both it and its section (or CONFIG, for a key of the top level).
    files = python_files(*APPS)
    read = [
        names | ({"config"} if "CONFIG" in file.read_text() else set())
        for file in files
        if (names := _attributes(file))
    ]
    parts = {key: f"config.{key}".split(".")[-2:] for key in expected()}
    assert [key for key, (section, name) in parts.items() if not any({section, name} <= names for names in read)] == []
