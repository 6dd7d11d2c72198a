"""Keep in the audit what was refused at a door, before any action was asked."""

from django.db import transaction

from models_store.actions.audit import append_audit


def record_refusal(*, actor: str, method: str, path: str, code: str, why: str) -> None:
    """Append an entry about a request that was refused by its role or its form.

    Parameters
    ----------
    actor : str
        Who asked: always somebody who is known.
    method, path : str
        What was asked for.
    code, why : str
        The refusal, as the caller was told it.
    """
    with transaction.atomic():
        append_audit(
            actor=actor,
            action="request_refused",
            object_type="address",
            object_id=path,
            before={"method": method},
            after={"code": code, "error": why},
        )
