"""The dialogs that approve and edit a contract."""

from typing import Any

from django import forms

from features.adapters.yaml_files import said
from features.admin.contracts import contract_table, report_table
from features.core.contract_edits import is_literal, read_changes
from features.errors import SchemaError
from features.ground.unfold import BaseDialogForm, UnfoldAdminTextareaWidget
from features.models import Dataset

MAX_CHANGES = 20_000
EXAMPLES = "One change a line, such as delay.min=0, carrier.allowed=[AA, UA], rules.freshness=2d or max_rejected=0.02."


class ContractForm(BaseDialogForm):
    """Asks about the contract a person looked at, and refuses where another is in force by now."""

    form_before_template = "console/contract.html"
    reason = forms.CharField(
        max_length=2000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Why? It is kept in the audit trail.",
    )
    expected = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = Dataset.objects.filter(pk=self.object_id).values_list("contract_number", flat=True).first()
        self.fields["expected"].initial = found


class ApproveForm(ContractForm):
    """Asks for an approval, with what the contract was inferred from in view."""

    def get_before_template_context(self, request: Any, object_id: Any = None) -> dict[str, Any]:
        """Return what was seen when the contract was inferred."""
        dataset = Dataset.objects.filter(pk=object_id).first()
        return {"dataset": dataset, "panel": report_table(dataset) if dataset else None}


class EditForm(ContractForm):
    """Asks for changes, with the columns in view."""

    changes = forms.CharField(
        max_length=MAX_CHANGES,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}),
        help_text=f"{EXAMPLES} Nothing after the = takes back what is said.",
    )
    field_order = ("changes", "reason", "expected")

    def get_before_template_context(self, request: Any, object_id: Any = None) -> dict[str, Any]:
        """Return the columns as they are."""
        dataset = Dataset.objects.filter(pk=object_id).first()
        return {"dataset": dataset, "panel": contract_table(dataset) if dataset else None}

    def clean_changes(self) -> dict[str, Any]:
        """Return value by path, read as the command reads it."""
        lines = [line.strip() for line in self.cleaned_data["changes"].splitlines() if line.strip()]
        try:
            texts = read_changes(lines)
            pairs = [(path.strip(), text.strip()) for path, text in texts.items()]
            changes = {path: said(text, literal=is_literal(path)) for path, text in pairs}
        except SchemaError as error:
            raise forms.ValidationError(error.message) from error
        if not changes:
            raise forms.ValidationError("Say at least one change.")
        return changes
