"""Edit a dataset's contract: each edit is a new version of it, in force from then on, and audited."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction

from features.actions.contract import stored_contract
from features.actions.contract_versions import current_contract_version, forget_values, next_contract_version
from features.adapters.contract_preview import rows_breaking
from features.core.contract import Contract, contract_from
from features.core.contract_edits import Change, contract_changes, edited
from features.errors import ContractChangedError, ContractEditError, SchemaError
from features.ground.audit import record_audit, refusals_audited
from features.ground.errors import bounded
from features.models import ContractVersion, Dataset

MAX_REASON = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class ContractPreview:
    """What an edit would do.

    Parameters
    ----------
    dataset : str
        Its name.
    contract : int
        Number of the contract in force.
    changes : list of Change
        What would be said otherwise.
    breaking : dict of str to int
        By path, the rows of the newest version that would not meet it; they stay, rules hold for rows to come.
    """

    dataset: str
    contract: int
    changes: list[Change]
    breaking: dict[str, int]


@refusals_audited("edit_contract", object_type="dataset", of="dataset")
def edit_contract(
    dataset: str, *, changes: Mapping[str, Any], reason: str = "", actor: str, expected: int | None = None
) -> ContractVersion:
    """Change some of what a contract says.

    Parameters
    ----------
    dataset : str
        Its name.
    changes : mapping of str to Any
        By path, such as `delay.min`, `rules.freshness` or `max_rejected`; None takes back what is said.
    reason, actor : str
        Why, and who edits; the edited contract counts as approved by them.
    expected : int, optional
        Number of the contract that was looked at; by default the one in force.

    Returns
    -------
    ContractVersion
        The new one.

    Raises
    ------
    UnknownDatasetError, SchemaError
        If there is no such dataset or path, or what is said makes no sense.
    ContractEditError
        If the dataset's rows or views don't allow the change, or it changes nothing.
    ContractChangedError
        If somebody else changed the contract in between.
    """
    return _edit(dataset, lambda contract: edited(contract, changes), reason, actor, expected)


@refusals_audited("edit_contract", object_type="dataset", of="dataset")
def replace_contract(
    dataset: str, *, contract: Mapping[str, Any], reason: str = "", actor: str, expected: int | None = None
) -> ContractVersion:
    """Put a whole contract in the place of the one in force.

    Parameters
    ----------
    dataset : str
        Its name.
    contract : mapping
        columns, and perhaps rules, timezone, max_rejected, on_fault, require_approval; what it doesn't say is taken
        back.
    reason, actor : str
        Why, and who edits.
    expected : int, optional
        Number of the contract that was looked at; by default the one in force.

    Returns
    -------
    ContractVersion
        The new one; errors are those of `edit_contract`.
    """
    return _edit(dataset, lambda _: edited(contract_from(contract), {}), reason, actor, expected)


def preview_edit(dataset: str, *, changes: Mapping[str, Any]) -> ContractPreview:
    """Say what `edit_contract` would change, and how many rows would not meet it.

    Parameters
    ----------
    dataset : str
        Its name.
    changes : mapping of str to Any
        By path.

    Returns
    -------
    ContractPreview
    """
    return _preview(Dataset.objects.named(dataset), lambda contract: edited(contract, changes))


def preview_replacement(dataset: str, *, contract: Mapping[str, Any]) -> ContractPreview:
    """Say what `replace_contract` would change, and how many rows would not meet it.

    Parameters
    ----------
    dataset : str
        Its name.
    contract : mapping
        The whole contract.

    Returns
    -------
    ContractPreview
    """
    return _preview(Dataset.objects.named(dataset), lambda _: edited(contract_from(contract), {}))


def _preview(dataset: Dataset, edit: Callable[[Contract], Contract]) -> ContractPreview:
    before = stored_contract(dataset)
    after = edit(before)
    changes = contract_changes(before, after)
    _check_allowed(dataset, before, after)
    newest = dataset.versions.order_by("-number").first()
    breaking = rows_breaking(newest, after, [change.path for change in changes]) if newest else {}
    return ContractPreview(dataset=dataset.name, contract=before.number, changes=changes, breaking=breaking)


def _edit(
    name: str, edit: Callable[[Contract], Contract], reason: str, actor: str, expected: int | None
) -> ContractVersion:
    if len(reason) > MAX_REASON or "\x00" in reason:
        raise SchemaError(f"a reason is a text of at most {MAX_REASON} characters")
    looked_at = Dataset.objects.named(name).contract_number if expected is None else expected
    with transaction.atomic(durable=True):
        dataset = Dataset.objects.select_for_update().get(name=name)
        if dataset.contract_number != looked_at:
            raise ContractChangedError(
                f"contract {dataset.contract_number} of {name!r} is in force by now, not {looked_at}; look at it again",
                dataset=name,
                contract=dataset.contract_number,
            )
        before = stored_contract(dataset)
        after = edit(before)
        _check_allowed(dataset, before, after)
        changes = [asdict(change) for change in contract_changes(before, after)]
        if not changes:
            raise ContractEditError(f"contract {looked_at} of {name!r} says all of that already", dataset=name)
        current_contract_version(dataset)
        made = next_contract_version(dataset, after, changes, reason=reason, actor=actor)
        forget_values(dataset, sorted({*after.hidden()} - {*before.hidden()}))
        record_audit(
            actor=actor,
            action="edit_contract",
            object_type="dataset",
            object_id=name,
            before={"contract": looked_at} | {change["path"]: change["before"] for change in changes},
            after={"contract": made.number} | {change["path"]: change["after"] for change in changes},
            reason=reason,
        )
    return made


def _check_allowed(dataset: Dataset, before: Contract, after: Contract) -> None:
    old = {column.name: column for column in before.columns}
    if [column.name for column in after.columns] != list(old):
        raise ContractEditError(
            f"dataset {dataset.name!r} has the columns {bounded(', '.join(old), 200)}, in this order; others "
            "are another dataset",
            dataset=dataset.name,
        )
    retyped = [column for column in after.columns if column.dtype != old[column.name].dtype]
    if retyped and dataset.versions.exists():
        column = retyped[0]
        raise ContractEditError(
            f"column {column.name!r} has rows of dtype {old[column.name].dtype}, which can't become {column.dtype}; "
            "ingest the files into a new dataset with that contract",
            dataset=dataset.name,
            column=column.name,
        )
    moved = before.single("timestamp") != after.single("timestamp") and before.single("timestamp")
    if moved and (dataset.views.exists() or dataset.partition_by):
        what = "feature views are computed" if dataset.views.exists() else "the table is partitioned"
        raise ContractEditError(
            f"{what} by the times of {moved!r}, so it has to stay the timestamp of {dataset.name!r}", column=moved
        )
