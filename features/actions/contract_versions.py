"""The numbered versions of a dataset's contract, and the profiles of its rows: written with what they belong to."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from django.utils import timezone

from features.actions.contract import stored_contract
from features.core.contract import Contract
from features.core.inference_report import with_examples
from features.core.profile import ColumnSummary
from features.models import ColumnProfile, ContractVersion, Dataset, DatasetVersion

EARLIER = "in force before contracts had versions"


def first_contract_version(
    dataset: Dataset,
    contract: Contract,
    *,
    summaries: Sequence[ColumnSummary] = (),
    examples: Mapping[str, Sequence[str]] | None = None,
    actor: str,
) -> ContractVersion:
    """Write the first version of a contract, inside the transaction of its dataset.

    Parameters
    ----------
    dataset : Dataset
        Made just now.
    contract : Contract
        An inferred one is proposed; one that somebody gave is approved by who gave it.
    summaries : sequence of ColumnSummary
        Profiles of the first rows, for the report.
    examples : mapping of str to sequence of str, optional
        Some of their values.
    actor : str
        Who asks.

    Returns
    -------
    ContractVersion
    """
    report: dict[str, Any] = {}
    if contract.report is not None:
        report = with_examples(contract.report, summaries, examples or {}, contract.hidden())
    given = {} if contract.report is not None else _approved(actor)
    return ContractVersion.objects.create(
        dataset=dataset, number=1, report=report, actor=actor, **contract.version_fields(), **given
    )


def _approved(actor: str) -> dict[str, Any]:
    return {"state": ContractVersion.State.APPROVED, "approved_by": actor, "approved_at": timezone.now()}


def current_contract_version(dataset: Dataset) -> ContractVersion:
    """Return the version in force, inside a transaction that holds the dataset.

    A dataset of the time before there were versions gets its first one here.

    Parameters
    ----------
    dataset : Dataset
        Locked.

    Returns
    -------
    ContractVersion
    """
    found = dataset.contracts.filter(number=dataset.contract_number).first()
    if found is not None:
        return found
    fields = stored_contract(dataset).version_fields()
    return ContractVersion.objects.create(dataset=dataset, number=dataset.contract_number, reason=EARLIER, **fields)


def next_contract_version(
    dataset: Dataset, contract: Contract, changes: Sequence[Mapping[str, Any]], *, reason: str, actor: str
) -> ContractVersion:
    """Write an edited contract and put it in force, inside a transaction that holds the dataset.

    Parameters
    ----------
    dataset : Dataset
        Locked.
    contract : Contract
        As it is to be.
    changes : sequence of mapping
        path, before and after of each change.
    reason, actor : str
        Why, and who edits and so approves.

    Returns
    -------
    ContractVersion
    """
    number = dataset.contract_number + 1
    fields = {**replace(contract, number=number).dataset_fields(), "contract_number": number}
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.save(update_fields=list(fields))
    return ContractVersion.objects.create(
        dataset=dataset,
        number=number,
        changes=list(changes),
        reason=reason,
        actor=actor,
        **contract.version_fields(),
        **_approved(actor),
    )


def store_profiles(version: DatasetVersion, summaries: Sequence[ColumnSummary]) -> None:
    """Write the profiles of a version's columns, inside its transaction.

    Parameters
    ----------
    version : DatasetVersion
        Made just now.
    summaries : sequence of ColumnSummary
        One for each column, in order.
    """
    ColumnProfile.objects.bulk_create(
        ColumnProfile(dataset_version=version, position=place, **asdict(summary))
        for place, summary in enumerate(summaries)
    )


def forget_values(dataset: Dataset, columns: Sequence[str]) -> None:
    """Take the values of columns that turn out to be about persons from profiles and reports.

    Parameters
    ----------
    dataset : Dataset
        Locked.
    columns : sequence of str
        Their names.
    """
    profiles = ColumnProfile.objects.filter(dataset_version__dataset=dataset, column__in=columns)
    profiles.update(minimum="", maximum="", mean=None, deviation=None, quantiles={}, histogram={})
    for version in dataset.contracts.exclude(report={}):
        for column in version.report.get("columns", ()):
            if column["name"] in columns:
                column["examples"] = []
        version.save(update_fields=["report"])
