"""The dialog that asks for a drilled rollback."""

from django import forms

from features.ground.unfold import BaseDialogForm, UnfoldAdminTextareaWidget
from models_store.core.reasons import MAX_REASON


class DrillForm(BaseDialogForm):
    """Ask for a drill."""

    reason = forms.CharField(
        max_length=MAX_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Why now? It is kept in the audit trail with what was measured.",
    )
