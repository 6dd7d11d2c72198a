"""The dialog that changes a model's promotion policy."""

from typing import Any

import yaml
from django import forms

from features.ground.canonical import digest
from features.ground.errors import bounded
from features.ground.unfold import (
    BaseDialogForm,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)
from models_store.admin.forms import reason_field
from models_store.admin.panels import spaced
from models_store.core.gates import GATES
from models_store.core.policy import MAX_APPROVALS, MAX_EXPIRES_HOURS, STAGES, Policy, parse_policy
from models_store.core.waivers import NEVER
from models_store.errors import PolicyError
from models_store.models import RegisteredModel

MAX_RULES = 8000
NUMBERS = ("approvals", "request_expires_hours", "separate_roles")
IN_YAML = ("settings", "windows", "freezes", "timezone")
EXAMPLE = (
    'settings: {primary_metric: {bound: 0.45}}, windows: [{days: [mon, tue], from: "09:00", to: "16:00"}], '
    "freezes: [{from: 2026-12-20, to: 2027-01-04, reason: holidays}] and timezone: Europe/Berlin, each on a line, "
    "in YAML."
)


class PlainLoader(yaml.SafeLoader):
    """Reads YAML without aliases: a few of them stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse an alias where a value should stand."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read here")
        return super().compose_node(parent, index)


def gates_field(stage: str) -> forms.MultipleChoiceField:
    """Return the boxes of the gates before a stage."""
    before = "a rollback" if stage == "rollback" else stage
    return forms.MultipleChoiceField(
        label=f"Gates before {before}",
        choices=[(name, spaced(name)) for name in GATES if name != NEVER],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Besides that the artefact is verified, which always comes first.",
    )


class PolicyForm(BaseDialogForm):
    """Asks for a policy, with the one in force filled in."""

    approvals = forms.IntegerField(
        label="Approvals",
        min_value=0,
        max_value=MAX_APPROVALS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="People who must agree before production, none of whom asked.",
    )
    separate_roles = forms.BooleanField(
        label="Separate roles",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Only a promoter asks and only an approver approves; an administrator who is neither does neither.",
    )
    request_expires_hours = forms.IntegerField(
        label="A request expires after, hours",
        min_value=1,
        max_value=MAX_EXPIRES_HOURS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="From when it may first be applied.",
    )
    rules = forms.CharField(
        label="Settings of gates, windows and freezes",
        required=False,
        max_length=MAX_RULES,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5, "spellcheck": "false"}),
        help_text=EXAMPLE,
    )
    reason = reason_field("Why another policy?")
    # What the person saw: the action refuses if somebody else changed the policy in the meantime.
    expected = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= {f"gates_{stage}": gates_field(stage) for stage in STAGES}
        self.order_fields([*NUMBERS, *(f"gates_{stage}" for stage in STAGES), "rules", "reason"])
        self.model = RegisteredModel.objects.filter(pk=self.object_id).first()
        if self.model:
            self._fill(parse_policy(self.model.policy, self.model.task), digest(self.model.policy))

    def _fill(self, policy: Policy, expected: str) -> None:
        told = policy.as_dict()
        rules = {name: told[name] for name in IN_YAML if told.get(name)}
        initial = {name: getattr(policy, name) for name in NUMBERS} | {"expected": expected}
        initial |= {f"gates_{stage}": [name for name in policy.gates(stage) if name != NEVER] for stage in STAGES}
        initial["rules"] = yaml.safe_dump(rules, sort_keys=False, allow_unicode=True) if rules else ""
        for name, value in initial.items():
            self.fields[name].initial = value

    def clean_rules(self) -> dict[str, Any]:
        """Return what stands in the text."""
        try:
            found = yaml.load(self.cleaned_data["rules"], PlainLoader) or {}  # noqa: S506 (a safe loader, narrowed)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise forms.ValidationError(f"This is not YAML: {bounded(str(error), 200)}") from error
        if not isinstance(found, dict) or (unknown := [str(key) for key in found if key not in IN_YAML]):
            got = bounded(", ".join(unknown)) if isinstance(found, dict) else bounded(found)
            raise forms.ValidationError(f"Say {', '.join(IN_YAML)}, each on a line; got {got}.")
        return found

    def clean(self) -> dict[str, Any]:
        """Put the policy together and check it as the command does."""
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors or self.model is None:
            return cleaned
        stages = {stage: [NEVER, *cleaned[f"gates_{stage}"]] for stage in STAGES}
        policy = {**{name: cleaned[name] for name in NUMBERS}, "stages": stages, **cleaned["rules"]}
        try:
            parse_policy(policy, self.model.task)
        except PolicyError as error:
            self.add_error("rules", error.message)
        return {**cleaned, "policy": policy}
