"""What is written beside the rows of a version, in its transaction: contract, profiles, warnings, mended rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from features.actions.contract import stored_contract
from features.actions.contract_versions import current_contract_version, first_contract_version, store_profiles
from features.adapters.profiling import examples, profile_rows
from features.adapters.staging import Staging
from features.core.contract import Contract
from features.core.dataset_rules import BrokenRule
from features.core.profile import ColumnSummary
from features.errors import DatasetChangedError
from features.models import Dataset, DatasetVersion, QuarantineFix


@dataclass(frozen=True, kw_only=True, slots=True)
class BesideRows:
    """All that is known of staged rows beside the rows.

    Parameters
    ----------
    contract : Contract
        What they were checked against.
    after : int or None
        Number of the version they were checked against, None where there was none.
    summaries : sequence of ColumnSummary
        Profiles of the valid rows.
    examples : dict of str to list of str
        Some of their values.
    warnings : sequence of BrokenRule
        Rules they break and are let in with.
    fixes : sequence of (int, int)
        Refused rows they stand for: key of the version that refused the row, and its number.
    """

    contract: Contract
    after: int | None
    summaries: Sequence[ColumnSummary]
    examples: dict[str, list[str]]
    warnings: Sequence[BrokenRule] = field(default=())
    fixes: Sequence[tuple[int, int]] = field(default=())


def beside_rows(contract: Contract, staged: Staging, last: DatasetVersion | None, **known: Any) -> BesideRows:
    """Look at staged rows once more, for what is written beside them.

    Parameters
    ----------
    contract : Contract
        What they were checked against.
    staged : Staging
        Closed.
    last : DatasetVersion or None
        The newest version when they were checked.
    **known : Any
        warnings and fixes.

    Returns
    -------
    BesideRows
    """
    return BesideRows(
        contract=contract,
        after=last.number if last else None,
        summaries=profile_rows(staged.valid_path, contract.columns) if staged.rows_valid else (),
        examples=examples(staged.valid_path, contract.columns) if contract.report is not None else {},
        **known,
    )


def check_unchanged(known: Dataset | None, last: DatasetVersion | None, beside: BesideRows) -> None:
    """Refuse rows that were checked against what is no longer in force, while the dataset is held.

    Parameters
    ----------
    known : Dataset or None
        As it is.
    last : DatasetVersion or None
        Its newest version.
    beside : BesideRows
        What the rows were checked against.

    Raises
    ------
    DatasetChangedError
        If the contract changed; or rows were added, where the contract compares rows with those before.
    """
    contract = beside.contract
    if known and stored_contract(known).version_fields() != contract.version_fields():
        raise DatasetChangedError(f"the schema of {known.name!r} changed while the rows were checked; ask again")
    compares = "monotone_time" in contract.rules or any(column.unique for column in contract.columns)
    if known and compares and beside.after != (last.number if last else None):
        raise DatasetChangedError(
            f"rows were added to {known.name!r} while these were compared with those it had; ask again"
        )


def write_beside(version: DatasetVersion, beside: BesideRows, *, created: bool, actor: str) -> None:
    """Write what belongs to a version, inside its transaction.

    Parameters
    ----------
    version : DatasetVersion
        Made just now.
    beside : BesideRows
        What is to be written.
    created : bool
        Whether its dataset was made just now too.
    actor : str
        Who asks.

    Raises
    ------
    DatasetChangedError
        If the contract changed at the last moment.
    """
    dataset = version.dataset
    if created:
        first_contract_version(
            dataset, beside.contract, summaries=beside.summaries, examples=beside.examples, actor=actor
        )
    elif dataset.contract_number != beside.contract.number:
        raise DatasetChangedError(f"the contract of {dataset.name!r} changed while the rows were written; ask again")
    else:
        current_contract_version(dataset)
    store_profiles(version, beside.summaries)
    QuarantineFix.objects.bulk_create(
        QuarantineFix(rejected_in_id=refused_in, row=row, fixed_in=version) for refused_in, row in beside.fixes
    )
