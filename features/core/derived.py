"""Features made of a view's other features by a small expression, the same after any engine."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.core.aggregations import check_name
from features.core.schema import Dtype
from features.errors import DefinitionError
from features.ground.errors import bounded

LONGEST, DEEPEST = 500, 30
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
# Least and greatest number of arguments.
FUNCTIONS = {"abs": (1, 1), "log1p": (1, 1), "min": (2, 20), "max": (2, 20), "coalesce": (2, 20), "where": (3, 3)}
GRAMMAR = "numbers, names of features, + - * / **, one comparison, parentheses, " + ", ".join(FUNCTIONS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Derived:
    """A feature computed from the view's other features.

    Parameters
    ----------
    name : str
        The feature's name.
    expression : str
        Such as "late_7d / flights_7d".
    """

    name: str
    expression: str

    def tree(self) -> ast.expr:
        """Return the expression's syntax tree, which holds nothing but what the grammar allows."""
        return _tree(self)

    def inputs(self) -> frozenset[str]:
        """Return the names of the features it is made of."""
        nodes = list(ast.walk(self.tree()))
        called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        return frozenset(node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called)

    @property
    def dtype(self) -> Dtype:
        """Return boolean for a comparison, else number."""
        return "boolean" if isinstance(self.tree(), ast.Compare) else "number"

    def __str__(self) -> str:
        """Return the feature in the words of a plan."""
        return f"= {self.expression}"


def parse_derived(item: Any) -> Derived:
    """Read one derived feature.

    Parameters
    ----------
    item : mapping
        name and expression.

    Returns
    -------
    Derived

    Raises
    ------
    DefinitionError
        If it has another form, or the expression is none.
    """
    if not isinstance(item, Mapping) or item.keys() != {"name", "expression"}:
        raise DefinitionError(f"a derived feature has name and expression; got {bounded(item)}")
    derived = Derived(name=str(item["name"]), expression=" ".join(str(item["expression"]).split()))
    check_name(derived.name)
    derived.tree()
    return derived


def check_inputs(derived: Sequence[Derived], dtypes: Mapping[str, Dtype]) -> None:
    """Refuse an expression of anything but numbers and truths of the same view.

    Parameters
    ----------
    derived : sequence of Derived
        In order: each may use those before it.
    dtypes : mapping of name to dtype
        The view's aggregations.

    Raises
    ------
    DefinitionError
        If a name isn't known by then, or holds text.
    """
    known = dict(dtypes)
    for one in derived:
        unknown = sorted(one.inputs() - known.keys())
        text = sorted(
            name for name in one.inputs() & known.keys() if known[name] not in ("integer", "number", "boolean")
        )
        if unknown or text:
            what = f"names {unknown}, no features before it" if unknown else f"uses {text}, which are no numbers"
            raise DefinitionError(f"derived feature {one.name!r} {bounded(what)}; it has {bounded(sorted(known))}")
        known[one.name] = one.dtype


def _tree(derived: Derived) -> ast.expr:
    text = derived.expression
    try:
        if not 0 < len(text) <= LONGEST:
            raise ValueError(f"it has {len(text)} characters, and 1 to {LONGEST} are allowed")
        tree = ast.parse(text, mode="eval").body
        _check(tree, 0)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise DefinitionError(
            f"derived feature {derived.name!r} is no expression of {GRAMMAR}: {bounded(reason)}; got {bounded(text)!r}"
        ) from error
    return tree


def _check(node: ast.AST, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError(f"it is nested deeper than {DEEPEST}")
    match node:
        case ast.Constant(value=bool() | int() | float()):
            float(node.value)  # type: ignore[arg-type]  # a whole number may be too large for one
            inner: list[ast.expr] = []
        case ast.Name():
            inner = []
        case ast.BinOp(left, operator, right) if isinstance(operator, ARITHMETIC):
            inner = [left, right]
        case ast.UnaryOp(ast.USub() | ast.UAdd(), operand):
            inner = [operand]
        case ast.Compare(left, [operator], [right]) if isinstance(operator, COMPARISONS):
            inner = [left, right]
        case ast.Call(ast.Name(name), arguments, []) if name in FUNCTIONS:
            least, most = FUNCTIONS[name]
            if not least <= len(arguments) <= most:
                raise ValueError(f"{name} takes {least} to {most} arguments, not {len(arguments)}")
            inner = arguments
        case _:
            raise ValueError(f"{bounded(ast.unparse(node), 40)!r} is not allowed")
    for child in inner:
        _check(child, depth + 1)
