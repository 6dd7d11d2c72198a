"""The pages of a model and of its versions, what matters first at the top."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html

from features.admin.lineage import snapshot_lineage
from features.ground.console import ago, anchor, line, link, list_of, mono, number
from features.ground.panels import Facts, Panel, Table
from features.ground.unfold import badge
from models_store.adapters.artefacts import read_artefact
from models_store.admin.card import card_facts
from models_store.admin.drawings import measured_panels
from models_store.admin.experiments import experiments_page
from models_store.admin.inputs import inputs_table, sample_request
from models_store.admin.next_steps import of_a_version
from models_store.admin.panels import (
    gates_table,
    metric,
    metrics_table,
    plain,
    slice_tables,
    spaced,
    stage_badge,
    summary,
)
from models_store.core.provenance import provenance_lines
from models_store.errors import ArtefactError
from models_store.models import AuditEntry, ModelVersion, RegisteredModel, Stage, Waiver

MAX_CHECKED_BYTES = 64 * 2**20


def version_panels(version: ModelVersion, site: str) -> list[Panel]:
    """Return a version's page, what matters first at the top."""
    state, sample = checked_artefact(version)
    drawn = measured_panels(version)
    return [
        summary(version, of_a_version(version)),
        metrics_table(version),
        gates_table(version),
        *waivers_tables(Waiver.objects.filter(request__version=version).select_related("request__version__model")),
        *drawn,
        audit_table([str(version)], wide=len(drawn) % 2 == 0),
        *slice_tables(version),
        card_facts(version),
        *drawn_lineage(version),
        lineage(version),
        artefact_facts(version, state),
        made_of(version),
        inputs_table(version),
        sample_request(version, site, sample),
        params_table(version),
    ]


def model_panels(model: RegisteredModel) -> list[Panel]:
    """Return a model's page: what serves, every version, and who changed it."""
    versions = list(model.versions.select_related("model").order_by("-number")[:50])
    at = {version.stage: version for version in reversed(versions)}
    canary = f"{at['canary']} for {model.canary_percent} %" if "canary" in at else "–"
    pairs = [
        ("Production", link(at.get("production"))),
        ("Canary", link(at["canary"], canary) if "canary" in at else "–"),
        ("Shadow", link(at.get("shadow"))),
        ("Task", model.task),
        ("Primary metric", model.primary_metric),
        ("Owner", model.owner or "–"),
        ("Generation", model.generation),
        ("Experiments", anchor(experiments_page(model), "versions side by side")),
    ]
    names = [model.name, *(str(version) for version in versions)]
    return [
        Facts(title="Serving", note=model.purpose, wide=True, pairs=pairs),
        versions_table(model, versions),
        policy_table(model),
        audit_table(names, wide=True),
    ]


def versions_table(model: RegisteredModel, versions: Sequence[ModelVersion]) -> Table:
    """Return the versions beside the metric that decides."""
    primary = model.primary_metric
    live = next((v for v in versions if v.stage == Stage.PRODUCTION), None)
    rows = [
        (
            link(v),
            stage_badge(v.stage),
            number(metric(v, primary)),
            v.estimator,
            v.engine,
            ago(v.created_at),
            anchor(comparison_page(v, live), f"with {live}") if live and v != live else "–",
        )
        for v in versions
    ]
    headers = ("Version", "Stage", spaced(primary), "Estimator", "Engine", "Made", "Compare")
    empty = f"No versions yet. Next: manage.py train {model.name} --dataset DATASET"
    return Table(title="Versions", headers=headers, rows=rows, wide=True, empty=empty)


def comparison_page(first: ModelVersion, second: ModelVersion) -> str:
    """Return the address of two versions side by side."""
    chosen = urlencode({"first": first.pk, "second": second.pk})
    return f"{reverse('admin:models_store_modelversion_comparison')}?{chosen}"


def policy_table(model: RegisteredModel) -> Table:
    """Return the promotion policy as stored."""
    rules = {name: value for name, value in model.policy.items() if value not in ({}, [], None)}
    rows = [(rule_said(name), spaced(plain(value))) for name, value in flattened(rules)]
    return Table(title="Policy", headers=("Rule", "Value"), rows=rows, empty="The default gates; no approval needed.")


def rule_said(name: str) -> str:
    """Return the name of a stored rule in words."""
    part, _, rest = name.partition(".")
    return spaced({"stages": f"gates before {rest}", "settings": rest.replace(".", ": ")}.get(part, name))


def waivers_tables(waivers: Iterable[Waiver]) -> list[Table]:
    """Return the gates somebody took on themselves, if there are any; they are shown for good."""
    rows = [
        (spaced(w.gate), w.observed, w.threshold, w.actor, w.reason, link(w.request, f"request {w.request_id}"))
        for w in waivers
    ]
    headers = ("Gate", "Observed", "Threshold", "Waived by", "Why", "For")
    return [Table(title="Waived gates", headers=headers, rows=rows, wide=True)] if rows else []


def params_table(version: ModelVersion) -> Table:
    """Return the parameters it was trained with."""
    # A search has a table of its own.
    kept = {name: value for name, value in version.params.items() if name != "search"}
    rows = [(mono(name), plain(value)) for name, value in flattened(kept)]
    headers, empty = ("Name", "Value"), "None recorded."
    return Table(title="Parameters", headers=headers, rows=rows, empty=empty, wide=True, foldable=True)


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Return nested values under dotted names."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def drawn_lineage(version: ModelVersion) -> Sequence[Panel]:
    """Return the picture of what this version was made from."""
    return (snapshot_lineage(version.snapshot, version=version),) if version.snapshot else ()


def lineage(version: ModelVersion) -> Facts:
    """Return links from the data to what this version has done."""
    snapshot = version.snapshot
    source = snapshot.dataset_version if snapshot else None
    run = anchor(list_of("pipeline_run", q=version.run_id), str(version.run_id)[:8]) if version.run_id else "–"
    here = {"model_version__id__exact": version.pk}
    return Facts(
        title="Made from, and used for",
        wide=True,
        pairs=[
            ("Dataset", link(source.dataset) if source else "–"),
            ("Dataset version", link(source)),
            ("Snapshot", link(snapshot)),
            ("Run that made it", run),
            ("Model", link(version.model)),
            ("Predictions", anchor(list_of("predictions_prediction", **here), "see the log")),
            ("Drift reports", anchor(list_of("pipeline_driftreport", **here), "see the reports")),
            ("Batch scores", anchor(list_of("pipeline_batchscore", **here), "see the scores")),
        ],
    )


def artefact_facts(version: ModelVersion, state: Any) -> Facts:
    """Return what the signed artefact is."""
    return Facts(
        title="Artefact",
        wide=True,
        pairs=[
            ("State", state),
            ("Digest", mono(version.manifest_digest, 16)),
            ("Size", f"{version.size_bytes / 1024:,.0f} kB"),
            ("Signing key", mono(version.key_id, 16)),
        ],
    )


def made_of(version: ModelVersion) -> Table:
    """Return data, code, environment and files, each with what tells it from another."""
    rows = [(name, text) for name, text in provenance_lines(version.provenance)]
    return Table(title="Made of", headers=("What", "Which"), rows=rows, wide=True, empty="Nothing is recorded.")


def checked_artefact(version: ModelVersion) -> tuple[Any, Sequence[Any] | None]:
    """Return what a check of the artefact says now, and its first sample row."""
    if version.size_bytes > MAX_CHECKED_BYTES:
        return "too large to be checked for a page: the gates check it", None
    try:
        sample = read_artefact(version).manifest.get("sample")
    except ArtefactError as error:
        return format_html("{} {}", badge(error.code, "danger"), error.message), None
    return badge("verified", "success"), sample[0] if sample else None


def audit_table(names: Sequence[str], wide: bool = False) -> Table:
    """Return the newest entries of the audit trail about these objects."""
    entries = AuditEntry.objects.filter(object_id__in=names).order_by("-id")[:20]
    rows = [(ago(e.at), e.actor, link(e, e.action), line(e.object_id), e.reason or "–") for e in entries]
    headers = ("When", "Who", "What", "Object", "Why")
    return Table(title="Who did what", headers=headers, rows=rows, wide=wide, empty="Nobody has changed anything yet.")
