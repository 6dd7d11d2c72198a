"""The values of derived features."""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.core.derived import Derived
from features.core.schema import ARROW_TYPES


class Values(NamedTuple):
    """Numbers, and which of them are there."""

    numbers: npt.NDArray[np.float64]
    there: npt.NDArray[np.bool_]


BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: np.divide, ast.Pow: np.power,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
PLAIN: dict[str, Callable[..., Any]] = {"abs": np.abs, "log1p": np.log1p, "min": np.minimum, "max": np.maximum}


def with_derived(table: pa.Table, derived: Sequence[Derived]) -> pa.Table:
    """Append derived features to the features they are made of.

    Parameters
    ----------
    table : pyarrow.Table
        The view's features.
    derived : sequence of Derived
        In order: each may use those before it.

    Returns
    -------
    pyarrow.Table
        A value is missing where one it needs is missing, and where it would be no finite number, as in a division
        by zero.
    """
    for one in derived:
        names = {name: _values(table[name]) for name in one.inputs()}
        with np.errstate(all="ignore"):
            found = _evaluated(one.tree(), names, table.num_rows)
        column = pa.array(found.numbers, mask=~found.there).cast(ARROW_TYPES[one.dtype])
        table = table.append_column(one.name, column)
    return table


def _values(column: pa.ChunkedArray) -> Values:
    kind = pa.int8() if pa.types.is_boolean(column.type) else pa.float64()
    numbers = pc.fill_null(column.cast(kind, safe=False).cast(pa.float64()), 0.0)
    return Values(numbers.to_numpy(), pc.is_valid(column).to_numpy())


def _finite(numbers: Any, there: npt.NDArray[np.bool_]) -> Values:
    plain = np.asarray(numbers, np.float64)
    usable = there & np.isfinite(plain)
    # No negative zero: nothing is below nothing.
    return Values(np.where(usable, plain, 0.0) + 0.0, usable)


def _evaluated(node: ast.AST, names: Mapping[str, Values], rows: int) -> Values:
    match node:
        case ast.Constant(value):
            return Values(np.full(rows, float(value)), np.full(rows, True))  # type: ignore[arg-type]  # checked before
        case ast.Name(name):
            return names[name]
        case ast.UnaryOp(sign, operand):
            of = _evaluated(operand, names, rows)
            return _finite(-of.numbers if isinstance(sign, ast.USub) else of.numbers, of.there)
        case ast.BinOp(left, how, right) | ast.Compare(left, [how], [right]):
            first, second = (_evaluated(side, names, rows) for side in (left, right))
            return _finite(BINARY[type(how)](first.numbers, second.numbers), first.there & second.there)
        case ast.Call(ast.Name(function), arguments):
            return _called(function, [_evaluated(argument, names, rows) for argument in arguments])
    raise TypeError(f"no expression: {ast.dump(node)}")


def _called(function: str, of: list[Values]) -> Values:
    if function == "where":
        condition, then, otherwise = of
        chosen = condition.numbers != 0
        there = condition.there & np.where(chosen, then.there, otherwise.there)
        return _finite(np.where(chosen, then.numbers, otherwise.numbers), there)
    if function == "coalesce":
        return reduce(_first_there, of)
    numbers = [one.numbers for one in of]
    result = PLAIN[function](*numbers) if len(numbers) == 1 else reduce(PLAIN[function], numbers)
    return _finite(result, np.logical_and.reduce([one.there for one in of]))


def _first_there(first: Values, second: Values) -> Values:
    return Values(np.where(first.there, first.numbers, second.numbers), first.there | second.there)
