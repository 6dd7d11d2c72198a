"""Registered models in the console."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from features.ground.console import ReadOnlyAdmin, actor_of, answer, link, page_of
from features.ground.panels import Panel
from features.ground.unfold import ActionDialog, ActionVariant, ChoicesDropdownFilter, action, display
from models_store.actions.drill_rollback import drill_rollback
from models_store.actions.edit_card import edit_card
from models_store.actions.rollback import rollback
from models_store.admin.card import CardForm
from models_store.admin.drill import DrillForm
from models_store.admin.forms import RollbackForm
from models_store.admin.pages import model_panels
from models_store.models import RegisteredModel, Stage


@admin.register(RegisteredModel)
class RegisteredModelAdmin(ReadOnlyAdmin):
    """Registered models, and the way back."""

    next_command = "manage.py train MODEL --dataset DATASET"
    list_display = ("name", "production", "task", "primary_metric", "owner", "generation", "canary_percent")
    list_filter = (("task", ChoicesDropdownFilter),)
    search_fields = ("name", "purpose", "owner")
    actions_detail = ("write_card", "roll_back", "drill")

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
        variant=ActionVariant.WARNING,
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
            done = rollback(model.name, to=to, reason=form.cleaned_data["reason"], actor=actor_of(request))
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
