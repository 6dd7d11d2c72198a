"""What a dialog says will happen, before anybody agrees to it."""

from collections.abc import Iterable

from models_store.actions.rollback import entries_of
from models_store.admin.panels import spaced
from models_store.core import history
from models_store.core.lifecycle import CANARY, DISPLACED, PRODUCTION, SERVING, SHADOW
from models_store.core.policy import ROLLBACK, parse_policy
from models_store.models import AuditEntry, ModelVersion, PromotionRequest, RegisteredModel, Stage

TRAFFIC = {
    PRODUCTION: "answers every request that no canary takes, within a second",
    CANARY: "answers its share of requests, within a second",
    SHADOW: "scores a copy of the requests; nobody sees its answers",
    Stage.ARCHIVED: "stops serving; only a rollback brings it back",
    Stage.REJECTED: "stops serving, and stays rejected for good",
}


def of_a_promotion(version: ModelVersion, stages: Iterable[str]) -> list[tuple[str, str]]:
    """Return, for each stage, what taking it would do."""
    return [(str(stage), of_a_move(version, stage)) for stage in stages]


def of_a_move(version: ModelVersion, stage: str) -> str:
    """Return what taking a stage would do, in sentences."""
    said = [f"{version} {TRAFFIC[stage]}."]
    holder = version.model.versions.filter(stage=stage).exclude(pk=version.pk).first() if stage in SERVING else None
    if holder:
        said.append(f"{holder} leaves it and becomes {DISPLACED[stage]}.")
    if stage == Stage.ARCHIVED and version.stage == PRODUCTION:
        said.append(f"{version.model} then has no version in production: predict answers 503.")
    approvals = parse_policy(version.model.policy, version.model.task).approvals if stage == PRODUCTION else 0
    if approvals:
        said.append(f"Nothing changes until {people(approvals)} agreed, none of them you.")
    return " ".join(said)


def of_an_approval(request: PromotionRequest) -> list[tuple[str, str]]:
    """Return what one more approval would do."""
    version = request.version
    needed = parse_policy(version.model.policy, version.model.task).approvals
    left = max(0, needed - request.approvals.filter(approved=True).count() - 1)
    if left:
        return [("after yours", f"Nothing changes yet: {people(left)} to agree too.")]
    return [(str(request.target_stage), of_a_move(version, request.target_stage).partition(" Nothing changes")[0])]


def of_a_rollback(model: RegisteredModel) -> list[tuple[str, str]]:
    """Return what a rollback would do."""
    live = model.versions.filter(stage=PRODUCTION).select_related("model").first()
    back = previous(model)
    gates = ", ".join(map(spaced, parse_policy(model.policy, model.task).gates(ROLLBACK)))
    said = [
        f"{back or 'The version you choose'} answers within a second." if live or back else "There is no way back yet.",
        *([f"{live} becomes {DISPLACED[PRODUCTION]}."] if live else []),
        f"Checked first: {gates}. Requests that wait for approval become void.",
    ]
    return [(PRODUCTION, " ".join(said))]


def previous(model: RegisteredModel) -> ModelVersion | None:
    """Return the version a rollback without a number goes to."""
    entries = entries_of(AuditEntry.objects.stage_changes(model.name), model.name)
    changes = [history.Change(action=entry.action, production=entry.after.get("production")) for entry in entries]
    number = history.previous_production(changes)
    return model.versions.select_related("model").filter(number=number).first() if number else None


def people(count: int) -> str:
    """Return a number of people who have something to do."""
    return "one person has" if count == 1 else f"{count} people have"
