"""Check rows against a contract, and what they show against its rules for the whole."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from django.db.models import Max

from features.actions.contract import allowed_share
from features.adapters.commits import head
from features.adapters.staging import Staging, staging
from features.adapters.table_rows import stored_rows
from features.adapters.uniqueness import IntArray, repeated_rows
from features.core.checks import RowChecker
from features.core.coerce import Target
from features.core.contract import Contract
from features.core.dataset_rules import BrokenRule, broken_dataset_rules
from features.core.sources import RowSource, check_types, naive_times
from features.core.times import NO_ZONE
from features.errors import DatasetRulesBrokenError, EmptyFileError, TooManyRejectedError
from features.ground.errors import bounded
from features.models import DatasetVersion


@contextmanager
def checked_rows(
    rows: RowSource, contract: Contract, last: DatasetVersion | None, *, key: Sequence[str] = ()
) -> Iterator[Staging]:
    """Give the rows, checked and staged on disk, until the block ends.

    Whether a value is unique is known only once all rows have been seen: where some are not, the rows are read again,
    so that each of these is refused whole and with every reason.

    Parameters
    ----------
    rows : RowSource
        Where they are from.
    contract : Contract
        What they must meet.
    last : DatasetVersion or None
        The newest version of their dataset, whose values count where a column is unique.
    key : sequence of str
        Columns by which these rows take the place of those, whose values then don't count.

    Returns
    -------
    Iterator of Staging

    Raises
    ------
    EmptyFileError, ColumnsError
        If there is no row, or typed columns are not those of the contract.
    """
    with staging(contract.columns, rows.fingerprint) as staged:
        _stage(rows, contract, staged, {})
        # The newest version may be one that was lost; the head has what is left.
        newest = head(last.dataset) if last and staged.unique else None
        stored = stored_rows(last.dataset.name, newest) if last and newest is not None else None
        repeated = repeated_rows(staged, stored, key)
        if not repeated:
            yield staged
            return
    with staging(contract.columns, rows.fingerprint) as staged:
        _stage(rows, contract, staged, repeated)
        yield staged


def _stage(rows: RowSource, contract: Contract, staged: Staging, repeated: dict[str, IntArray]) -> None:
    checker = RowChecker(contract.columns, repeated, contract.timezone)
    dtypes = {column.name: column.dtype for column in contract.columns}
    for chunk in rows.chunks(list(dtypes), Target(dtypes=dtypes, zone=contract.timezone)):
        if rows.typed:
            check_types(rows.label, chunk.table.schema, contract.columns, contract.timezone)
        staged.add(chunk, checker.check(chunk.table, chunk.rows, fitting=chunk.text is not None))
    staged.close()
    if staged.rows_valid + staged.rows_rejected == 0:
        raise EmptyFileError(f"{rows.label} holds no row below its header; expected at least one")


def check_share(label: str, staged: Staging, contract: Contract, asked: float | None) -> None:
    """Refuse rows of which more are faulty than may be.

    Parameters
    ----------
    label : str
        Name of their source.
    staged : Staging
        The checked rows.
    contract : Contract
        Whose policy counts where nothing is asked for.
    asked : float or None
        Share the caller allows.

    Raises
    ------
    NaiveTimesError, TooManyRejectedError
        Naming the columns whose times name no zone, or the most frequent reasons.
    """
    allowed = allowed_share(contract, asked)
    total = staged.rows_valid + staged.rows_rejected
    if staged.rows_valid and staged.rows_rejected <= allowed * total:
        return
    if naive := sorted(column for column, rule in staged.by_column if rule == NO_ZONE):
        raise naive_times(label, naive)
    worst = ", ".join(
        f"{column or 'row'} {rule} ({count})" for (column, rule), count in staged.by_column.most_common(5)
    )
    share = "no row is valid" if not staged.rows_valid else f"at most {allowed:.2%} may be"
    share = "and the contract says on_fault: fail" if contract.policy.get("on_fault") == "fail" else share
    raise TooManyRejectedError(
        f"{staged.rows_rejected} of {total} rows of {bounded(label, 80)} are faulty, {share}; nothing was written. "
        f"Most frequent: {bounded(worst, 300)}",
        rows_read=total,
        rows_rejected=staged.rows_rejected,
        max_rejected=allowed,
        reasons=dict(staged.reasons),
    )


def check_rules(
    label: str, staged: Staging, contract: Contract, last: DatasetVersion | None, now: datetime
) -> list[BrokenRule]:
    """Refuse rows that break a rule of the dataset; return the broken rules they are let in with.

    Parameters
    ----------
    label : str
        Name of their source.
    staged : Staging
        The checked rows.
    contract : Contract
        The rules.
    last : DatasetVersion or None
        The newest version, after which time is to go on.
    now : datetime
        Against which freshness is measured.

    Returns
    -------
    list of BrokenRule
        Those that only warn.

    Raises
    ------
    DatasetRulesBrokenError
        Naming all broken rules.
    """
    newest = last.dataset.versions.aggregate(newest=Max("last_event_at"))["newest"] if last else None
    facts = staged.facts(newest)
    broken = broken_dataset_rules(contract.rules, facts, now)
    if any(rule.on_break == "fail" for rule in broken):
        texts = "; ".join(rule.text() for rule in broken)
        raise DatasetRulesBrokenError(
            f"the rows of {bounded(label, 80)} break rules of the dataset; nothing was written: {bounded(texts, 400)}",
            broken=[rule.as_dict() for rule in broken],
        )
    return broken
