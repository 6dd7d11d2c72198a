"""Approve a contract that was inferred from rows."""

from django.db import transaction
from django.utils import timezone

from features.actions.contract_versions import current_contract_version
from features.errors import ContractApprovedError, ContractChangedError, SchemaError
from features.ground.audit import record_audit, refusals_audited
from features.models import ContractVersion, Dataset

MAX_REASON = 2000


@refusals_audited("approve_contract", object_type="dataset", of="dataset")
def approve_contract(dataset: str, *, number: int | None = None, reason: str, actor: str) -> ContractVersion:
    """Say that the contract in force is what the dataset's rows are to meet.

    Parameters
    ----------
    dataset : str
        Its name.
    number : int, optional
        The contract that was looked at; by default the one in force.
    reason, actor : str
        Why, and who approves.

    Returns
    -------
    ContractVersion
        Approved.

    Raises
    ------
    UnknownDatasetError, SchemaError
        If there is no such dataset, or no reason.
    ContractChangedError
        If another contract is in force by now.
    ContractApprovedError
        If it was approved before.
    """
    if not reason.strip() or len(reason) > MAX_REASON or "\x00" in reason:
        raise SchemaError(f"an approval needs a reason of 1 to {MAX_REASON} characters: --reason TEXT")
    found = Dataset.objects.named(dataset)
    with transaction.atomic(durable=True):
        held = Dataset.objects.select_for_update().get(pk=found.pk)
        version = current_contract_version(held)
        _check_waits(version, number)
        version.state, version.approved_by = ContractVersion.State.APPROVED, actor
        version.approved_at = timezone.now()
        version.save(update_fields=["state", "approved_by", "approved_at"])
        record_audit(
            actor=actor,
            action="approve_contract",
            object_type="dataset",
            object_id=dataset,
            before={"contract": version.number, "state": ContractVersion.State.PROPOSED},
            after={"contract": version.number, "state": ContractVersion.State.APPROVED},
            reason=reason,
        )
    return version


def _check_waits(version: ContractVersion, number: int | None) -> None:
    name = version.dataset.name
    told = {"dataset": name, "contract": version.number}
    if number is not None and number != version.number:
        raise ContractChangedError(
            f"contract {version.number} of {name!r} is in force by now, not {number}; look at it again", **told
        )
    if version.state == ContractVersion.State.APPROVED:
        by = f"{version.approved_by} at {version.approved_at}"
        raise ContractApprovedError(f"contract {version.number} of {name!r} was approved by {by}", **told)
