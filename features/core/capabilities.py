"""What each engine can't do, and so which features it can't compute."""

from collections.abc import Mapping

from features.core.aggregations import Function
from features.core.windows import ViewDefinition
from features.errors import DefinitionError

# Operations beyond plain sums, extremes, conditions and joins that narwhals does not have for an engine.
LACKS: Mapping[str, Mapping[str, str]] = {
    "duckdb": {},
    "polars": {},
    "dask": {
        "group_quantile": "Dask has no quantile of a group",
        "ordered_last": "Dask has no last value of a group by an order",
        "ordered_window": "Dask has no running sums, shifts or ranks by an order",
    },
    "spark": {
        "asof_join": "Spark has no join by the nearest time",
        "ordered_last": "Spark has no last value of a group by an order",
    },
}
# The operations beyond those that each function needs: so far none does. The newest value is found by greatest times,
# distinct values by grouping, and histories are computed part by part. A test runs every function on every engine.
NEEDS: Mapping[Function, frozenset[str]] = {
    "count": frozenset(), "sum": frozenset(), "mean": frozenset(), "share": frozenset(), "std": frozenset(),
    "min": frozenset(), "max": frozenset(), "last": frozenset(), "nunique": frozenset(),
}  # fmt: skip


def check_engine(view: ViewDefinition, engine: str, *, needs: Mapping[Function, frozenset[str]] = NEEDS) -> None:
    """Refuse a view that an engine can't compute.

    Parameters
    ----------
    view : ViewDefinition
        What was declared.
    engine : str
        duckdb, polars, dask or spark.
    needs : mapping of str to set of str
        The operations each function needs.

    Raises
    ------
    DefinitionError
        If the engine lacks an operation one of the view's functions needs: it names feature, operation and reason.
    """
    for feature in view.features:
        for operation in sorted(needs[feature.function] & LACKS[engine].keys()):
            able = ", ".join(name for name, lacks in LACKS.items() if operation not in lacks)
            raise DefinitionError(
                f"feature {feature.name!r}: {feature.function} can't be computed with features.engine {engine}: "
                f"{LACKS[engine][operation]}; it can with {able}",
                feature=feature.name,
                engine=engine,
                operation=operation,
            )
