"""Ask for an uploaded file to be ingested."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from features.actions.contract import NAME
from features.ground.audit import record_audit
from features.ground.errors import bounded
from features.ground.role_names import ADMIN
from pipeline.actions.runs_enqueue import enqueue_run
from pipeline.adapters import uploads
from pipeline.errors import BadUploadError
from pipeline.models import Run


def ingest_upload(
    dataset: str,
    upload: uploads.Incoming,
    *,
    name: str,
    options: Mapping[str, Any],
    actor: str,
    file_format: str | None = None,
    idempotency_key: str | None = None,
) -> Run:
    """Keep an uploaded file and queue the run that ingests it.

    Parameters
    ----------
    dataset, name, actor : str
        The dataset, made by its first ingestion; what the caller calls the file: never part of a path; and who asks.
    upload : Incoming
        The file, arrived whole.
    options : mapping
        `read`, `roles`, `mode`, `key`, `timezone` and `max_rejected`, as the ingestion takes them.
    file_format : str, optional
        csv, parquet or jsonl, where the name does not say it.
    idempotency_key : str, optional
        The same key with the same bytes and options gives the stored run.

    Returns
    -------
    Run
        Queued; or the stored one of the same key.

    Raises
    ------
    BadUploadError
        If the dataset can't have this name, the file is empty, or nothing says what it holds.
    IdempotencyMismatchError
        If the key was used for something else.
    """
    if not NAME.fullmatch(dataset):
        raise BadUploadError(f"a dataset's name is 1 to 100 letters, digits, _ and -; got {bounded(repr(dataset))}")
    suffix = uploads.suffix_of(name, file_format)
    source = "".join(sign for sign in bounded(name, 200) if sign.isprintable()) or f"upload{suffix}"
    with uploads.one_holder():
        stored = upload.keep(suffix)
        params = {**options, "dataset": dataset, "upload": stored, "source": source}
        try:
            return enqueue_run(Run.Kind.INGEST, params, actor=actor, idempotency_key=idempotency_key)
        finally:
            # What was refused, or was ingested long ago under the same key, has no run that needs it.
            uploads.sweep()


def refuse_upload(dataset: str, *, actor: str) -> None:
    """Record that somebody without the right to it asked to upload a file.

    Parameters
    ----------
    dataset, actor : str
        Where it was to go, and who asked.
    """
    with transaction.atomic(durable=True):
        record_audit(
            actor=actor,
            action="dataset.upload_refused",
            object_type="dataset",
            object_id=bounded(dataset, 100),
            after={"code": "forbidden", "needs": ADMIN},
        )


def sweep_uploads() -> int:
    """Remove uploads whose runs have ended; safe to run at any time, by any number of processes.

    Returns
    -------
    int
        How many files went.
    """
    with uploads.one_holder():
        return uploads.sweep()
