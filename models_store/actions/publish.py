"""Publish the production version at its stable path."""

from pathlib import Path

from models_store.adapters.artefacts import read_artefact
from models_store.adapters.published import publish_files, publisher, withdraw_files
from models_store.models import ModelVersion, Stage


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
        return publish_files(model, live.manifest_digest, read_artefact(live).files)
