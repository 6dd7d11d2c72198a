"""Publish the production version at its stable path."""

import logging
from pathlib import Path

from django.db import transaction

from features.ground.errors import DomainError
from models_store.actions.audit import append_audit
from models_store.adapters.artefacts import read_artefact
from models_store.adapters.published import publish_files, publisher, withdraw_files
from models_store.models import ModelVersion, Stage

logger = logging.getLogger(__name__)


def publish_production(model: str) -> Path | None:
    """Make `var/models/<model>/production` hold the files of the production version.

    Safe to repeat. Of two publishers the later one reads the newer row, so the path never goes back.

    Parameters
    ----------
    model : str
        Name of the model.

    Returns
    -------
    Path or None
        The stable folder; None where nothing is in production, and the path is gone.

    Raises
    ------
    ArtefactError
        If the production version's artefact is refused.
    ArtefactWriteError
        If the files can't be written; the path then holds what it held.
    """
    with publisher(model):
        live = ModelVersion.objects.filter(model__name=model, stage=Stage.PRODUCTION).select_related("model").first()
        if live is None:
            withdraw_files(model)
            return None
        # Whoever wants a file wants the model; its test rows stay with the artefact.
        files = {name: data for name, data in read_artefact(live).files.items() if name.startswith("model.")}
        return publish_files(model, live.manifest_digest, files)


def published_or_warning(model: str, actor: str) -> str:
    """Publish the production version; answer what went wrong, if anything did.

    Parameters
    ----------
    model : str
        Name of the model.
    actor : str
        Who changed what is in production.

    Returns
    -------
    str
        Empty, or what a person must repair.
    """
    try:
        publish_production(model)
    except DomainError as error:
        logger.error("publishing failed", extra={"model": model, "reason": error.message})
        with transaction.atomic(durable=True):
            append_audit(
                actor=actor,
                action="publish_failed",
                object_type="registered_model",
                object_id=model,
                after={"code": error.code, "error": error.message},
            )
        return f"the stage has changed, and the files at the stable path have not: {error.message}"
    return ""
