"""What a person can do next with a version or a request, said where they look first."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from features.ground.console import ago, link
from models_store.admin.consequences import people
from models_store.admin.panels import newest_results
from models_store.core.lifecycle import SERVING
from models_store.core.policy import parse_policy
from models_store.models import ModelVersion, PromotionRequest, Stage
from models_store.models.promotion import OPEN


def of_a_version(version: ModelVersion) -> SafeString | str:
    """Return what comes next for a version; empty where nothing does."""
    waiting = PromotionRequest.objects.open().filter(version=version).select_related("version__model").first()
    if waiting:
        return format_html("Asked to become {}: see {}.", waiting.target_stage, link(waiting, f"request {waiting.pk}"))
    if version.stage == Stage.ARCHIVED:
        return format_html("To bring it back: Roll back, on the page of {}.", link(version.model))
    if version.stage in SERVING or version.stage == Stage.REJECTED:
        return ""
    failed = sum(not found.passed for found in newest_results(version))
    if failed:
        one = "One gate says" if failed == 1 else f"{failed} gates say"
        return f"{one} no, see below: promote it to shadow or canary to watch it, train another, or have a gate waived."
    return "Next: read the metrics and compare it with what serves, then Promote."


def given(request: PromotionRequest) -> int:
    """Return how many people have approved."""
    return sum(word.approved for word in request.approvals.all())


def needed(request: PromotionRequest) -> int:
    """Return how many people must approve: production alone asks for any."""
    model = request.version.model
    return parse_policy(model.policy, model.task).approvals if request.target_stage == Stage.PRODUCTION else 0


def of_a_request(request: PromotionRequest) -> SafeString | str:
    """Return what a request waits for; empty where it has ended."""
    if request.state not in OPEN:
        return ""
    left = max(0, needed(request) - given(request))
    if left:
        who = f"{people(left)} to approve it, an approver or admin other than {request.requester}"
        return format_html("Waits: {}. It expires {}.", who, ago(request.expires_at)) if request.expires_at else who
    return format_html("Becomes {} {}.", request.target_stage, ago(request.not_before))
