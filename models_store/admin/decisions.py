"""The dialogs in which a second person gives their word on a promotion request."""

from typing import Any

from django import forms

from features.ground.unfold import BaseDialogForm, UnfoldAdminTextareaWidget
from models_store.admin.consequences import of_an_approval
from models_store.admin.panels import gates_table
from models_store.core.reasons import MAX_REASON
from models_store.models import PromotionRequest


class DecisionForm(BaseDialogForm):
    """What is asked for and why, the waived gates and the newest gates, before a word is given."""

    form_before_template = "console/decide.html"
    approves = False

    def get_before_template_context(self, request: Any, object_id: Any = None) -> dict[str, Any]:
        """Return the request, what was waived, and the gates of its version."""
        found = PromotionRequest.objects.presented().filter(pk=object_id).first()
        effects = of_an_approval(found) if found and self.approves else ()
        return {"asked": found, "effects": effects, "panel": gates_table(found.version) if found else None}


class ApproveForm(DecisionForm):
    """Approve."""

    approves = True
    reason = forms.CharField(
        max_length=MAX_REASON,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="What did you look at? Kept in the audit trail; may be left empty.",
    )


class RejectForm(DecisionForm):
    """Reject."""

    reason = forms.CharField(
        max_length=MAX_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Why not? It is told to whoever asked, and kept in the audit trail.",
    )
