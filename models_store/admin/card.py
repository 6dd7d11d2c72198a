"""The model card in the console: what people wrote, the dialog that writes it, and the whole as a document."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse

from features.ground.console import anchor, link
from features.ground.panels import Facts
from features.ground.unfold import BaseDialogForm, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget, badge
from models_store.actions.model_card import model_card, written_parts
from models_store.core.card import WRITTEN, missing_parts
from models_store.core.reasons import MAX_REASON
from models_store.models import ModelVersion, RegisteredModel


class CardForm(BaseDialogForm):
    """Write what people say of a model."""

    reason = forms.CharField(
        max_length=MAX_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="What has changed? It is kept in the audit trail.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        model = RegisteredModel.objects.filter(pk=self.object_id).first()
        written = written_parts(model) if model else {}
        for part, limit in WRITTEN.items():
            self.fields[part] = _field(part, limit, written.get(part, ""))
        self.order_fields([*WRITTEN, "reason"])

    def changed_parts(self) -> dict[str, str]:
        """Return the parts that were written anew: the others may have been changed by somebody else meanwhile."""
        return {part: self.cleaned_data[part] for part in WRITTEN if part in self.changed_data}


def _field(part: str, limit: int, text: str) -> forms.CharField:
    one_line = part == "owner"
    widget = UnfoldAdminTextInputWidget() if one_line else UnfoldAdminTextareaWidget(attrs={"rows": 3})
    return forms.CharField(
        max_length=limit,
        required=False,
        initial=text,
        widget=widget,
        help_text=getattr(RegisteredModel, part).field.help_text,
    )


def card_facts(version: ModelVersion) -> Facts:
    """Return what people wrote of the model, what nobody wrote yet, and where the whole card is."""
    written = written_parts(version.model)
    missing = missing_parts(written)
    state = badge("complete", "success") if not missing else badge(f"{len(missing)} parts missing", "warning")
    document = reverse("admin:models_store_modelversion_card", args=[version.pk])
    return Facts(
        title="Model card",
        note="Written for the model; data, metrics, slices and gates come from this version.",
        wide=True,
        pairs=[
            ("State", state),
            *((part.replace("_", " ").capitalize(), text or "–") for part, text in written.items()),
            ("As a document", anchor(document, "Markdown")),
            ("Written on", link(version.model)),
        ],
    )


def card_response(version: ModelVersion) -> HttpResponse:
    """Return the whole card as a file."""
    response = HttpResponse(model_card(version), content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{version.model.name}-{version.number}.md"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
