"""Registered models in the console."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from features.ground.console import TRAIN_PAGE, ReadOnlyAdmin, actor_of, answer, is_admin, link, page_of
from features.ground.panels import Panel
from features.ground.unfold import ActionDialog, ActionVariant, ChoicesDropdownFilter, action, display, rarer
from models_store.actions.change_policy import change_policy
from models_store.actions.drill_rollback import drill_rollback
from models_store.actions.edit_card import edit_card
from models_store.actions.rollback import rollback
from models_store.admin.card import CardForm
from models_store.admin.drill import DrillForm
from models_store.admin.experiments import experiments_panels
from models_store.admin.forms import RollbackForm
from models_store.admin.pages import model_panels
from models_store.admin.policy_form import PolicyForm
from models_store.models import RegisteredModel, Stage


@admin.register(RegisteredModel)
class RegisteredModelAdmin(ReadOnlyAdmin):
    """Registered models, and the way back."""

    next_command = "manage.py train MODEL --dataset DATASET"
    next_page = TRAIN_PAGE
    list_display = ("name", "production", "task", "primary_metric", "owner", "generation", "canary_percent")
    list_filter = (("task", ChoicesDropdownFilter),)
    search_fields = ("name", "purpose", "owner")
    actions_detail: Sequence[Any] = ("roll_back", "write_card", rarer("change_policy", "drill"))

    @display(description="Production")
    def production(self, obj: RegisteredModel) -> Any:
        return link(obj.versions.filter(stage=Stage.PRODUCTION).select_related("model").first())

    def panels(self, obj: RegisteredModel, request: HttpRequest) -> Sequence[Panel]:
        """Show what serves, the versions and the policy."""
        return model_panels(obj)

    def get_urls(self) -> list[URLPattern]:
        """Add the page of experiments."""
        view = self.admin_site.admin_view(self.experiments)
        own = path("<int:object_id>/experiments/", view, name="models_store_registeredmodel_experiments")
        return [own, *super().get_urls()]

    def experiments(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Show the versions side by side."""
        model = get_object_or_404(RegisteredModel, pk=object_id)
        if not self.has_view_permission(request, model):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": f"Experiments of {model.name}",
            "back": (page_of(model), model.name),
            "panels": experiments_panels(model),
        }
        return TemplateResponse(request, "console/page.html", context)

    def has_promote_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may change what serves."""
        return bool(request.user.has_perm("models_store.promote_modelversion"))

    @action(
        description="Write model card",
        url_path="card",
        permissions=["promote"],
        icon="edit_note",
        dialog=ActionDialog(
            title="Write the model card",
            description="It goes out with every version of this model; what stood here stays in the audit trail.",
            form_class=CardForm,
            form_submit_text="Write",
        ),
    )
    def write_card(self, request: HttpRequest, form: CardForm, object_id: str) -> HttpResponse:
        """Write what people say of the model."""
        model = get_object_or_404(RegisteredModel, pk=object_id)

        def work() -> str:
            edit_card(model.name, form.changed_parts(), reason=form.cleaned_data["reason"], actor=actor_of(request))
            return f"The card of {model.name} is written."

        return answer(request, page_of(model), work)

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

    @action(
        description="Drill a rollback",
        url_path="drill",
        permissions=["promote"],
        icon="timer",
        dialog=ActionDialog(
            title="Drill a rollback?",
            description="The version that served before takes production for a moment and gives it back, while this "
            "process asks both. Callers are answered by either of them meanwhile; what was measured is kept.",
            form_class=DrillForm,
            form_submit_text="Drill",
        ),
    )
    def drill(self, request: HttpRequest, form: DrillForm, object_id: str) -> HttpResponse:
        """Measure a rollback there and back."""
        model = get_object_or_404(RegisteredModel, pk=object_id)

        def work() -> str:
            done = drill_rollback(model.name, reason=form.cleaned_data["reason"], actor=actor_of(request))
            return (
                f"{model.name}: {done.tried} in {done.seconds_there} s, back to {done.live} in {done.seconds_back} s; "
                f"{done.answers} answers, none failed."
            )

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
