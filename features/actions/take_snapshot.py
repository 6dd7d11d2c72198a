"""Freeze a training set: labels, and features as they were known at each label's own time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db import transaction

from features.actions.check_leakage import find_leakage, target_of
from features.adapters.delta import read_table
from features.adapters.engine import values_at
from features.adapters.questions import question_digest
from features.adapters.snapshots import is_intact, snapshot_path, store_rows
from features.core.check_values import check_values
from features.core.fingerprint import table_digest
from features.core.leakage import Acceptance, Finding, as_findings, judged
from features.core.schema import Column, check_names
from features.core.view_columns import view_columns
from features.errors import DefinitionError, EmptyFileError, SchemaError
from features.ground.audit import record_audit, refusals_audited
from features.ground.errors import bounded
from features.ground.progress import Report, silent
from features.models import DatasetVersion, FeatureSnapshot, FeatureView

Source = tuple[FeatureView, DatasetVersion]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Question:
    """What is asked, with every name resolved."""

    labels: DatasetVersion
    sources: Sequence[Source]
    as_of: datetime | None
    target: str
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """Rows, their name, and what was found in them; no rows where they are stored already."""

    fingerprint: str
    rows: int
    columns: list[dict[str, Any]]
    findings: Sequence[Finding]
    table: pa.Table | None = None


@refusals_audited("take_snapshot", object_type="feature_snapshot", of="name")
def take_snapshot(
    name: str,
    *,
    dataset: str,
    views: Sequence[str] = (),
    as_of: datetime | None = None,
    target: str = "",
    accept: Sequence[str] = (),
    reason: str = "",
    actor: str,
    report: Report = silent,
) -> FeatureSnapshot:
    """Freeze a dataset's rows with the features of some views.

    Parameters
    ----------
    name, dataset, actor : str
        Name of the snapshot, 1 to 150 characters; the labels, `NAME` or `NAME@N` for a version; and who asks.
    views : sequence of str
        Feature views, `NAME` or `NAME@N`; with none, the dataset's own columns are all there is.
    as_of : datetime, optional
        Only labels that had happened and were known by then; needs a timestamp column.
    target : str, optional
        What is to be predicted; by default the column of role target. The leakage check needs to know.
    accept, reason : sequence of str, str
        Findings of the leakage check to take responsibility for, by name, and why; audited.
    report : Report
        Told how far it is.

    Returns
    -------
    FeatureSnapshot
        The same row again for the same name and question, and for the same name and content.

    Raises
    ------
    DomainError
        If a name isn't known, the views don't fit the labels, no label is left, or leakage is found that is not
        accepted. Nothing is stored then.
    """
    acceptance = Acceptance(names=tuple(accept), reason=reason, actor=actor).checked()
    _check_name(name)
    question = _asked(dataset, views, as_of, target)
    earlier = _answered(question, name)
    if earlier is not None and earlier.name == name:
        return earlier
    answer = _again(earlier) if earlier is not None else _computed(question, report)
    findings = judged(answer.findings, acceptance)
    _store(answer, report)
    return _record(name, question, answer, findings, acceptance)


def _check_name(name: str) -> None:
    if not 0 < len(name) <= 150 or not name.isprintable():
        raise SchemaError(f"a snapshot's name is 1 to 150 printable characters; got {bounded(repr(name))}")


def _asked(dataset: str, views: Sequence[str], as_of: datetime | None, target: str) -> _Question:
    labels = DatasetVersion.objects.resolve(dataset)
    sources = [_source(spec, labels) for spec in views]
    target = target_of([column.as_dict() for column in labels.dataset.columns()], target)
    digest = question_digest(labels, sources, as_of=as_of, target=target)
    return _Question(labels=labels, sources=sources, as_of=as_of, target=target, digest=digest)


def _source(spec: str, labels: DatasetVersion) -> Source:
    view = FeatureView.objects.resolve(spec)
    # Labels and their own history are of one version, so that the same question has the same answer tomorrow.
    if view.dataset_id == labels.dataset_id:
        return view, labels
    return view, DatasetVersion.objects.resolve(view.dataset.name)


def _answered(question: _Question, name: str) -> FeatureSnapshot | None:
    """Return a snapshot of the same question whose rows are there and intact; of this name before any other."""
    known = FeatureSnapshot.objects.filter(kind=FeatureSnapshot.Kind.TRAINING, question=question.digest)
    ordered = sorted(known, key=lambda snapshot: snapshot.name != name)
    return next((snapshot for snapshot in ordered if is_intact(snapshot)), None)


def _again(earlier: FeatureSnapshot) -> _Answer:
    return _Answer(
        fingerprint=earlier.fingerprint,
        rows=earlier.rows,
        columns=earlier.columns,
        findings=as_findings(earlier.leakage["findings"]),
    )


def _computed(question: _Question, report: Report) -> _Answer:
    labels, sources = question.labels, question.sources
    report(5, "reading the labels")
    all_rows = _rows(labels)
    table = _labels(labels, all_rows, question.as_of)
    columns = list(labels.dataset.columns())
    for place, source in enumerate(sources):
        report(15 + 50 * place // len(sources), f"computing {source[0].name}")
        table, columns = _joined(table, columns, labels, source)
    described = [column.as_dict() for column in columns]
    report(65, "looking for leakage")
    findings = find_leakage(
        table,
        described,
        target=question.target,
        dataset=labels.dataset,
        views=[view for view, _ in sources],
        all_rows=all_rows,
    )
    report(80, "naming the rows")
    fingerprint = table_digest(table, described)
    return _Answer(fingerprint=fingerprint, rows=table.num_rows, columns=described, findings=findings, table=table)


def _store(answer: _Answer, report: Report) -> None:
    report(90, "writing the rows")
    if answer.table is not None:
        store_rows(answer.table, answer.fingerprint, answer.columns)


def _rows(version: DatasetVersion) -> pa.Table:
    dataset = version.dataset
    return read_table(dataset.name, version.delta_version, [column.name for column in dataset.columns()])


def _labels(version: DatasetVersion, table: pa.Table, as_of: datetime | None) -> pa.Table:
    dataset = version.dataset
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
    if not labels.dataset.timestamp_column:
        raise DefinitionError(
            f"view {view.name!r} needs the labels' times; {labels.dataset.name!r} has no timestamp column"
        )
    definition = view.definition()
    values = values_at(definition, version, table, table[labels.dataset.timestamp_column])
    check_values(definition, values)
    made = view_columns(values)
    check_names([column.name for column in (*columns, *made)])
    for column in made:
        table = table.append_column(column.name, values[column.name])
    return table, [*columns, *made]


def _record(
    name: str, question: _Question, answer: _Answer, findings: list[dict[str, Any]], acceptance: Acceptance
) -> FeatureSnapshot:
    labels, sources = question.labels, question.sources
    accepted = [finding["name"] for finding in findings if finding["accepted"]]
    with transaction.atomic(durable=True):
        snapshot, created = FeatureSnapshot.objects.get_or_create(
            name=name,
            fingerprint=answer.fingerprint,
            kind=FeatureSnapshot.Kind.TRAINING,
            defaults={
                "dataset_version": labels,
                "as_of": question.as_of,
                "path": snapshot_path(answer.fingerprint),
                "rows": answer.rows,
                "columns": answer.columns,
                "question": question.digest,
                "leakage": {"target": question.target, "findings": findings},
                "actor": acceptance.actor,
            },
        )
        if created:
            snapshot.views.set([view for view, _ in sources])
            snapshot.sources.set({labels.pk, *(version.pk for _, version in sources)})
        if created and accepted:
            record_audit(
                actor=acceptance.actor,
                action="accept_leakage",
                object_type="snapshot",
                object_id=str(snapshot.pk),
                after={"snapshot": name, "fingerprint": answer.fingerprint, "accepted": accepted},
                reason=acceptance.reason.strip(),
            )
    return snapshot
