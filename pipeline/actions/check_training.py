"""The leakage check of a training: the snapshot's own, or one anew where another target is predicted."""

from collections.abc import Sequence

import pyarrow as pa
from django.db import transaction

from features.actions.check_leakage import find_across_lots, find_leakage
from features.core.leakage import Acceptance, Finding, judged
from features.ground.audit import record_audit
from features.models import FeatureSnapshot


def accepted_findings(
    snapshot: FeatureSnapshot,
    table: pa.Table,
    *,
    target: str,
    accept: Sequence[str],
    reason: str,
    actor: str,
    by_lot: bool = False,
) -> list[str]:
    """Return the findings that a training on a snapshot goes on in spite of.

    Parameters
    ----------
    snapshot : FeatureSnapshot
        What is learnt from.
    table : pyarrow.Table
        Its rows.
    target : str
        The column to predict.
    accept, reason : sequence of str, str
        Findings to take responsibility for, and why; audited where the snapshot has not kept them already.
    actor : str
        Who asks.
    by_lot : bool
        Whether the test is drawn by lot, which parts rows that a split by time keeps together.

    Returns
    -------
    list of str
        Names of accepted findings; those of the snapshot, if it was taken for this target.

    Raises
    ------
    AcceptanceError, LeakageFoundError
        If something is found that is not accepted.
    """
    acceptance = Acceptance(names=tuple(accept), reason=reason, actor=actor).checked()
    names, found = _known(snapshot, table, target)
    if by_lot:
        met = {*names, *(finding.name for finding in found)}
        found += [one for one in find_across_lots(table, snapshot.columns, target=target) if one.name not in met]
    new = [finding["name"] for finding in judged(found, acceptance) if finding["accepted"]]
    if new:
        _audit(snapshot, target, new, acceptance)
    return names + new


def _audit(snapshot: FeatureSnapshot, target: str, accepted: list[str], acceptance: Acceptance) -> None:
    with transaction.atomic(durable=True):
        record_audit(
            actor=acceptance.actor,
            action="accept_leakage",
            object_type="snapshot",
            object_id=str(snapshot.pk),
            after={"target": target, "fingerprint": snapshot.fingerprint, "accepted": accepted},
            reason=acceptance.reason.strip(),
        )


def _known(snapshot: FeatureSnapshot, table: pa.Table, target: str) -> tuple[list[str], list[Finding]]:
    """Return what the snapshot accepted, or what is found anew where another target is predicted."""
    if snapshot.leakage.get("target") == target:
        return [finding["name"] for finding in snapshot.leakage["findings"] if finding["accepted"]], []
    dataset, views = snapshot.dataset_version.dataset, list(snapshot.views.select_related("dataset"))
    return [], find_leakage(table, snapshot.columns, target=target, dataset=dataset, views=views)
