"""Hold a view's values against its tests."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from features.core.value_tests import ValueTest
from features.core.windows import ViewDefinition
from features.errors import FeatureTestFailedError
from features.ground.errors import bounded


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueFacts:
    """What a feature's values show, as far as tests ask: how many, how many missing, the least and the greatest."""

    rows: int
    missing: int
    least: float | None
    greatest: float | None


Facts = dict[str, ValueFacts]


def value_facts(view: ViewDefinition, table: pa.Table, before: Facts | None = None) -> Facts:
    """Return what a view's values show.

    Parameters
    ----------
    view : ViewDefinition
        Whose features.
    table : pyarrow.Table
        Holds them; further columns are left alone.
    before : dict of str to ValueFacts, optional
        Of rows that came before these: the answer is of both.

    Returns
    -------
    dict of str to ValueFacts
        By feature; nothing for a view without tests.
    """
    found = {name: _facts(table[name]) for name in view.names} if view.tests else {}
    return {name: _both(before[name], one) for name, one in found.items()} if before else found


def _facts(values: pa.ChunkedArray) -> ValueFacts:
    counted, span = pa.types.is_integer(values.type) or pa.types.is_floating(values.type), {"min": None, "max": None}
    if counted or pa.types.is_boolean(values.type):
        span = pc.min_max(values.cast(pa.float64()) if counted else values.cast("int8")).as_py()
    return ValueFacts(rows=len(values), missing=values.null_count, least=span["min"], greatest=span["max"])


def _both(one: ValueFacts, other: ValueFacts) -> ValueFacts:
    return ValueFacts(
        rows=one.rows + other.rows,
        missing=one.missing + other.missing,
        least=min((least for least in (one.least, other.least) if least is not None), default=None),
        greatest=max((most for most in (one.greatest, other.greatest) if most is not None), default=None),
    )


def check_values(view: ViewDefinition, table: pa.Table) -> None:
    """Refuse values that fail a test of their view.

    Parameters
    ----------
    view : ViewDefinition
        Whose tests.
    table : pyarrow.Table
        Holds the view's features; further columns are left alone.

    Raises
    ------
    FeatureTestFailedError
        If a test fails: it names each with what was found.
    """
    check_facts(view, value_facts(view, table))


def check_facts(view: ViewDefinition, facts: Facts) -> None:
    """Refuse values that fail a test of their view, by what they show.

    Parameters
    ----------
    view : ViewDefinition
        Whose tests.
    facts : dict of str to ValueFacts
        What `value_facts` returned of all of them.

    Raises
    ------
    FeatureTestFailedError
        If a test fails: it names each with what was found.
    """
    failed = {test.name: "; ".join(found) for test in view.tests if (found := list(_faults(view, test, facts)))}
    if failed:
        said = "; ".join(f"{name!r} ({found})" for name, found in failed.items())
        text = f"view {view.name!r}: {len(failed)} of {len(view.tests)} tests failed: {bounded(said, 400)}"
        raise FeatureTestFailedError(text, view=view.name, tests=failed)


def _faults(view: ViewDefinition, test: ValueTest, facts: Facts) -> Iterator[str]:
    for name in [test.feature] if test.feature else view.names:
        seen = facts[name]
        if seen.missing and (
            test.not_null or (test.max_missing is not None and seen.missing > test.max_missing * seen.rows)
        ):
            yield f"{seen.missing} of {seen.rows} values of {name} are missing"
        if test.min is not None and seen.least is not None and seen.least < test.min:
            yield f"the least {name} is {seen.least:g}"
        if test.max is not None and seen.greatest is not None and seen.greatest > test.max:
            yield f"the greatest {name} is {seen.greatest:g}"
