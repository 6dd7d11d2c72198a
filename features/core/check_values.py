"""Hold a view's values against its tests."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from features.core.value_tests import ValueTest
from features.core.windows import ViewDefinition
from features.errors import FeatureTestFailedError
from features.ground.errors import bounded


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
    failed = {test.name: "; ".join(found) for test in view.tests if (found := list(_faults(view, test, table)))}
    if failed:
        said = "; ".join(f"{name!r} ({found})" for name, found in failed.items())
        text = f"view {view.name!r}: {len(failed)} of {len(view.tests)} tests failed: {bounded(said, 400)}"
        raise FeatureTestFailedError(text, view=view.name, tests=failed)


def _faults(view: ViewDefinition, test: ValueTest, table: pa.Table) -> Iterator[str]:
    for name in [test.feature] if test.feature else view.names:
        missing, rows = table[name].null_count, table.num_rows
        if test.not_null and missing:
            yield f"{missing} of {rows} values of {name} are missing"
        if test.max_missing is not None and missing > test.max_missing * rows:
            yield f"{missing} of {rows} values of {name} are missing"
        if test.min is None and test.max is None:
            continue
        numbers = (
            table[name].cast(pa.float64()) if not pa.types.is_boolean(table[name].type) else table[name].cast("int8")
        )
        span = pc.min_max(numbers).as_py()
        if test.min is not None and span["min"] is not None and span["min"] < test.min:
            yield f"the least {name} is {span['min']:g}"
        if test.max is not None and span["max"] is not None and span["max"] > test.max:
            yield f"the greatest {name} is {span['max']:g}"
