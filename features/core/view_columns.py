"""What the computed values of a view are as columns of a table."""

import pyarrow as pa

from features.core.schema import ARROW_TYPES, Column, Dtype

DTYPE_OF: dict[pa.DataType, Dtype] = {kind: dtype for dtype, kind in ARROW_TYPES.items()}  # type: ignore[misc]


def view_columns(values: pa.Table) -> list[Column]:
    """Describe the values of a view, which are features and may be missing.

    Parameters
    ----------
    values : pyarrow.Table
        What the engine computed.

    Returns
    -------
    list of Column
        In the same order.
    """
    return [
        Column(name=field.name, dtype=DTYPE_OF[field.type], nullable=True, role="feature") for field in values.schema
    ]
