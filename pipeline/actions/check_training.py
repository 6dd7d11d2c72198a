"""The leakage check of a training: the snapshot's own, or one anew where another target is predicted."""

from collections.abc import Sequence

import pyarrow as pa
from django.db import transaction

from features.actions.check_leakage import find_leakage
from features.core.leakage import Acceptance, judged
from features.ground.audit import record_audit
from features.models import FeatureSnapshot


def accepted_findings(
    snapshot: FeatureSnapshot, table: pa.Table, *, target: str, accept: Sequence[str], reason: str, actor: str
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
    kept = snapshot.leakage.get("findings", [])
    if snapshot.leakage.get("target") == target:
        return [finding["name"] for finding in kept if finding["accepted"]]
    dataset = snapshot.dataset_version.dataset
    views = list(snapshot.views.select_related("dataset"))
    found = find_leakage(table, snapshot.columns, target=target, dataset=dataset, views=views)
    names = [finding["name"] for finding in judged(found, acceptance) if finding["accepted"]]
    if names:
        with transaction.atomic(durable=True):
            record_audit(
                actor=actor,
                action="accept_leakage",
                object_type="snapshot",
                object_id=str(snapshot.pk),
                after={"target": target, "fingerprint": snapshot.fingerprint, "accepted": names},
                reason=acceptance.reason.strip(),
            )
    return names
