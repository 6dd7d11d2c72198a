"""Registered models in the console."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from features.ground.console import ReadOnlyAdmin, actor_of, answer, is_admin, link, page_of
from features.ground.panels import Panel
from features.ground.unfold import ActionDialog, ActionVariant, ChoicesDropdownFilter, action, display
from models_store.actions.change_policy import change_policy
from models_store.actions.rollback import rollback
from models_store.admin.forms import RollbackForm
from models_store.admin.pages import model_panels
from models_store.admin.policy_form import PolicyForm
from models_store.models import RegisteredModel, Stage


@admin.register(RegisteredModel)
class RegisteredModelAdmin(ReadOnlyAdmin):
    """Registered models, and the way back."""

    next_command = "manage.py train MODEL --dataset DATASET"
    list_display = ("name", "production", "task", "primary_metric", "owner", "generation", "canary_percent")
    list_filter = (("task", ChoicesDropdownFilter),)
    search_fields = ("name", "description", "owner")
    actions_detail: Sequence[str] = ("roll_back", "change_policy")

    @display(description="Production")
    def production(self, obj: RegisteredModel) -> Any:
        return link(obj.versions.filter(stage=Stage.PRODUCTION).select_related("model").first())

    def panels(self, obj: RegisteredModel, request: HttpRequest) -> Sequence[Panel]:
        """Show what serves, the versions and the policy."""
        return model_panels(obj)

    def has_promote_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may change what serves."""
        return bool(request.user.has_perm("models_store.promote_modelversion"))

    @action(
        description="Roll back",
        url_path="roll-back",
        permissions=["promote"],
        icon="undo",
        variant=ActionVariant.DANGER,
        dialog=ActionDialog(
            title="Roll back?",
            description="The version that served before takes production again; the present one is archived.",
            form_class=RollbackForm,
            form_submit_text="Roll back",
        ),
    )
    def roll_back(self, request: HttpRequest, form: RollbackForm, object_id: str) -> HttpResponse:
        """Put an earlier version back into production."""
        model = get_object_or_404(RegisteredModel, pk=object_id)
        to = int(form.cleaned_data["to"]) if form.cleaned_data["to"] else None

        def work() -> str:
            done = rollback(
                model.name,
                to=to,
                reason=form.cleaned_data["reason"],
                actor=actor_of(request),
                expected_generation=form.cleaned_data["expected_generation"],
            )
            return f"{model.name}: back from {done.from_version} to {done.to_version}. {done.warning}".strip()

        return answer(request, page_of(model), work)

    def has_administer_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may change policies."""
        return is_admin(request)

    @action(
        description="Change policy",
        url_path="policy",
        permissions=["administer"],
        icon="policy",
        dialog=ActionDialog(
            title="Change the promotion policy?",
            description="It holds for what is asked from now on; requests that wait are decided by it too.",
            form_class=PolicyForm,
            form_submit_text="Change",
        ),
    )
    def change_policy(self, request: HttpRequest, form: PolicyForm, object_id: str) -> HttpResponse:
        """Replace the policy of a model."""
        model = get_object_or_404(RegisteredModel, pk=object_id)
        said = {name: form.cleaned_data[name] for name in ("policy", "reason", "expected")}

        def work() -> str:
            change_policy(model.name, **said, actor=actor_of(request))
            return f"{model.name} has another policy."

        return answer(request, page_of(model), work)
