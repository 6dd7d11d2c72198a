"""Gather what the gates look at, before any lock is taken."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.utils import timezone

from features.ground.canonical import digest
from models_store.actions.model_card import written_parts
from models_store.adapters.artefacts import VerifiedArtefact, read_artefact
from models_store.adapters.smoke import smoke_check
from models_store.adapters.traffic import served_traffic
from models_store.adapters.training_data import trained_on
from models_store.core.gates import GateOutcome
from models_store.core.gates.base import ArtefactCheck, Champion, Evidence, SmokeCheck
from models_store.core.judged import FILE_NAME, JudgedRows, parse_judged
from models_store.core.paired import PairedLoss, paired_loss
from models_store.core.sample import sample_rows
from models_store.errors import ArtefactError, ArtefactMissingError
from models_store.models import ModelVersion, Stage


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """Evidence, and the model's generation when it was gathered.

    Attributes
    ----------
    evidence : Evidence
        What the gates look at.
    generation : int
        Read before the rest: if the model's has moved on by the time the lock is held, the evidence is stale.
    """

    evidence: Evidence
    generation: int


def gather_evidence(version: ModelVersion) -> Gathered:
    """Verify the artefact, ask the model its sample, and read what the rows hold.

    Parameters
    ----------
    version : ModelVersion
        With its model, as read together.

    Returns
    -------
    Gathered
        Evidence for every gate.
    """
    champion = version.model.versions.filter(stage=Stage.PRODUCTION).exclude(pk=version.pk).first()
    artefact, check = _checked(version)
    evidence = Evidence(
        spec=str(version),
        task=version.model.task,
        primary_metric=version.model.primary_metric,
        snapshot_id=version.snapshot_id,
        metrics=version.metrics,
        input_schema=version.input_schema,
        output_schema=version.output_schema,
        artefact=check,
        smoke=_smoke(version, artefact),
        champion=None if champion is None else _champion(champion),
        paired=None if champion is None else _paired(version, artefact, champion),
        size_bytes=version.size_bytes,
        trained_on=trained_on(version),
        traffic=served_traffic(version.pk),
        as_of=timezone.now(),
        card=written_parts(version.model),
    )
    return Gathered(evidence=evidence, generation=version.model.generation)


def evidence_digest(gathered: Gathered, outcomes: Sequence[GateOutcome], waived: Collection[str] = ()) -> str:
    """Return the digest that an approval is bound to.

    Parameters
    ----------
    gathered : Gathered
        The evidence.
    outcomes : sequence of GateOutcome
        What the gates said to it.
    waived : collection of str
        Gates that somebody took on themselves.

    Returns
    -------
    str
        sha256 over the artefact's digest, the metrics, the gates and the waivers.
    """
    evidence = gathered.evidence
    seen = [[found.gate, found.passed, "" if found.moving else found.observed, found.threshold] for found in outcomes]
    artefact = [evidence.artefact.digest, evidence.artefact.error]
    return digest({"artefact": artefact, "metrics": evidence.metrics, "gates": seen, "waived": sorted(waived)})


def _checked(version: ModelVersion) -> tuple[VerifiedArtefact | None, ArtefactCheck]:
    try:
        return read_artefact(version), ArtefactCheck(digest=version.manifest_digest)
    except ArtefactError as error:
        return None, ArtefactCheck(digest=version.manifest_digest, error=f"{error.code}: {error.message}")


def _smoke(version: ModelVersion, artefact: VerifiedArtefact | None) -> SmokeCheck:
    if artefact is None:
        return SmokeCheck(rows=0, finite=False, error="not asked: the artefact was refused")
    rows = artefact.manifest.get("sample") or sample_rows(version.input_schema)
    return smoke_check(artefact.files, version.engine, version.input_schema, rows)


def _champion(version: ModelVersion) -> Champion:
    return Champion(
        number=version.number,
        snapshot_id=version.snapshot_id,
        metrics=version.metrics,
        input_schema=version.input_schema,
        output_schema=version.output_schema,
    )


def _paired(version: ModelVersion, artefact: VerifiedArtefact | None, champion: ModelVersion) -> PairedLoss:
    if artefact is None:
        return PairedLoss(rows=0, error="not compared: the artefact was refused")
    try:
        own = _judged(version, artefact)
        return paired_loss(own, _judged(champion, read_artefact(champion, only=(FILE_NAME,))))
    except ArtefactError as error:
        return PairedLoss(rows=0, error=error.message)


def _judged(version: ModelVersion, artefact: VerifiedArtefact) -> JudgedRows:
    if FILE_NAME not in artefact.files:
        raise ArtefactMissingError(f"{version} keeps no {FILE_NAME}: train it again")
    return parse_judged(artefact.files[FILE_NAME])
