"""Only actions write to the database."""

import ast
from collections.abc import Iterator

from tests.house.source import APPS, name, python_files, tree

ALWAYS = {"save", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}
ON_A_QUERY = {"create", "update", "delete"}
QUERY = {"objects", "filter", "exclude", "all", "select_for_update", "order_by", "_base_manager", "_default_manager"}


# The beat's tables are django-celery-beat's, whose models import Celery, which actions must not; an action calls this.
FOREIGN_TABLES = {"pipeline/adapters/beat.py"}


def _chain(node: ast.expr) -> set[str]:
    """Return the attribute names a call hangs on: `X.objects.filter().delete` has objects and filter."""
    names = set()
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        node = node.func if isinstance(node, ast.Call) else node.value
    return names


def writes(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and method of each call that writes rows."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method = node.func.attr
            bare_delete = method == "delete" and not node.args and not node.keywords
            if method in ALWAYS or bare_delete or (method in ON_A_QUERY and _chain(node.func.value) & QUERY):
                yield node.lineno, method


def test_rule_sees_what_it_must():
    code = (
        "a.save()\nA.objects.create(x=1)\nA.objects.filter(x=1).update(y=2)\na.delete()\nA.objects.bulk_create([])\n"
        "hashlib.sha256().update(b'')\n{}.update({})\nA.objects.filter(x=1).count()\nclient.create(1)\n"
    )
    assert [line for line, _ in writes(ast.parse(code))] == [1, 2, 3, 4, 5]


def test_only_actions_write_rows():
    files = [file for file in python_files(*APPS) if "actions" not in file.parts and name(file) not in FOREIGN_TABLES]
    assert [f"{name(file)}:{line} .{method}()" for file in files for line, method in writes(tree(file))] == []
