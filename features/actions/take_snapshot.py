"""Freeze a training set: labels, and features as they were known at each label's own time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db import transaction

from features.adapters.delta import read_table
from features.adapters.engine import values_at
from features.adapters.snapshots import store_rows
from features.core.check_values import check_values
from features.core.fingerprint import table_digest
from features.core.schema import Column, Dtype, check_names
from features.core.windows import value_dtypes
from features.errors import DefinitionError, EmptyFileError, SchemaError
from features.ground.errors import bounded
from features.ground.progress import Report, silent
from features.models import DatasetVersion, FeatureSnapshot, FeatureView

Source = tuple[FeatureView, DatasetVersion]


def take_snapshot(
    name: str,
    *,
    dataset: str,
    views: Sequence[str] = (),
    as_of: datetime | None = None,
    actor: str,
    report: Report = silent,
) -> FeatureSnapshot:
    """Freeze a dataset's rows with the features of some views.

    Parameters
    ----------
    name, actor : str
        Name of the snapshot, 1 to 150 characters; and who asks.
    dataset : str
        The labels: `NAME`, or `NAME@N` for a version.
    views : sequence of str
        Feature views, `NAME` or `NAME@N`; with none, the dataset's own columns are all there is.
    as_of : datetime, optional
        Only labels that had happened and were known by then; needs a timestamp column.
    report : Report
        Told how far it is.

    Returns
    -------
    FeatureSnapshot
        The same row again for the same name and content.

    Raises
    ------
    UnknownDatasetError, UnknownFeatureViewError, DefinitionError, EmptyFileError, FeatureTestFailedError
        If a name isn't known, the views don't fit the labels, no label is left, or a view's test fails.
    """
    if not 0 < len(name) <= 150 or not name.isprintable():
        raise SchemaError(f"a snapshot's name is 1 to 150 printable characters; got {bounded(repr(name))}")
    labels = DatasetVersion.objects.resolve(dataset)
    sources = [_source(spec, labels) for spec in views]
    report(5, "reading the labels")
    table = _labels(labels, as_of)
    columns = list(labels.dataset.columns())
    for place, source in enumerate(sources):
        report(15 + 60 * place // len(sources), f"computing {source[0].name}")
        table, columns = _joined(table, columns, labels, source)
    report(80, "writing the rows")
    described = [column.as_dict() for column in columns]
    fingerprint = table_digest(table, described)
    path = store_rows(table, fingerprint)
    fields = {"as_of": as_of, "path": path, "rows": table.num_rows, "columns": described, "actor": actor}
    return _record(name, fingerprint, fields, labels, sources)


def _source(spec: str, labels: DatasetVersion) -> Source:
    view = FeatureView.objects.resolve(spec)
    # Labels and their own history are of one version, so that the same question has the same answer tomorrow.
    if view.dataset_id == labels.dataset_id:
        return view, labels
    return view, DatasetVersion.objects.resolve(view.dataset.name)


def _labels(version: DatasetVersion, as_of: datetime | None) -> pa.Table:
    dataset = version.dataset
    table = read_table(dataset.name, version.delta_version, [column.name for column in dataset.columns()])
    if as_of is not None:
        if not dataset.timestamp_column:
            raise DefinitionError(f"as_of needs times, and dataset {dataset.name!r} has no timestamp column")
        for column in filter(None, (dataset.timestamp_column, dataset.known_at_column)):
            table = table.filter(pc.less_equal(table[column], pa.scalar(as_of, table[column].type)))
    if not table.num_rows:
        raise EmptyFileError(f"{version} has no row as of {as_of}", dataset=dataset.name)
    # By time, then by content: files of one commit have no order, and the same rows must give the same bytes.
    first = [dataset.timestamp_column] if dataset.timestamp_column else []
    order = dict.fromkeys((*first, *table.column_names))
    table = table.take(pc.sort_indices(table, [(name, "ascending") for name in order]))
    return table.combine_chunks()


def _joined(
    table: pa.Table, columns: list[Column], labels: DatasetVersion, source: Source
) -> tuple[pa.Table, list[Column]]:
    view, version = source
    definition, dtypes = view.definition(), version.dataset.dtypes()
    if not labels.dataset.timestamp_column:
        raise DefinitionError(
            f"view {view.name!r} needs the labels' times; {labels.dataset.name!r} has no timestamp column"
        )
    values = values_at(definition, version, table, table[labels.dataset.timestamp_column])
    check_values(definition, values)
    made = [_column(name, dtype) for name, dtype in value_dtypes(definition, dtypes).items()]
    check_names([column.name for column in (*columns, *made)])
    for column in made:
        table = table.append_column(column.name, values[column.name])
    return table, [*columns, *made]


def _column(name: str, dtype: Dtype) -> Column:
    return Column(name=name, dtype=dtype, nullable=True, role="feature")


def _record(
    name: str, fingerprint: str, fields: dict[str, Any], labels: DatasetVersion, sources: Sequence[Source]
) -> FeatureSnapshot:
    with transaction.atomic(durable=True):
        snapshot, created = FeatureSnapshot.objects.get_or_create(
            name=name,
            fingerprint=fingerprint,
            kind=FeatureSnapshot.Kind.TRAINING,
            defaults={**fields, "dataset_version": labels},
        )
        if created:
            snapshot.views.set([view for view, _ in sources])
            snapshot.sources.set({labels.pk, *(version.pk for _, version in sources)})
    return snapshot
