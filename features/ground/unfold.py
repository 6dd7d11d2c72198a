"""Everything the console takes from Unfold passes through here, so that leaving it stays cheap."""

from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from unfold.admin import ModelAdmin as UnfoldModelAdmin
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import (
    BooleanRadioFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.dataclasses import ActionDialog
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.forms import BaseDialogForm as UnfoldDialogForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from features.ground.refusals import refused_at_the_door

__all__ = [
    "ActionDialog",
    "ActionVariant",
    "AdminPasswordChangeForm",
    "BaseDialogForm",
    "BooleanRadioFilter",
    "ChoicesDropdownFilter",
    "DropdownFilter",
    "ModelAdmin",
    "RangeDateTimeFilter",
    "RelatedDropdownFilter",
    "TabularInline",
    "UnfoldAdminCheckboxSelectMultipleWidget",
    "UnfoldAdminFileFieldWidget",
    "UnfoldAdminIntegerFieldWidget",
    "UnfoldAdminSelectWidget",
    "UnfoldAdminTextInputWidget",
    "UnfoldAdminTextareaWidget",
    "UnfoldBooleanSwitchWidget",
    "UserChangeForm",
    "UserCreationForm",
    "action",
    "badge",
    "display",
    "rarer",
]


class BaseDialogForm(UnfoldDialogForm):
    """A dialog; what is sent in a form that can't be used is asked for again, and told to whoever keeps the audit."""

    def full_clean(self) -> None:
        """Check what was sent."""
        super().full_clean()
        if self.is_bound and self.errors:
            refused_at_the_door.send(type(self), request=self.request, why=self.errors.get_json_data())


class ModelAdmin(UnfoldModelAdmin):
    """A table of the console; above its list stand the count, the exports and the reader's own filters."""

    list_before_template = "console/list_tools.html"


def rarer(*names: str) -> dict[str, Any]:
    """Return a menu of actions that a page's head has no room for."""
    return {"title": "More", "items": list(names)}


def badge(text: str, kind: str = "") -> SafeString:
    """Return a label; `kind` is success, info, warning, danger or empty for a plain one."""
    html = render_to_string("unfold/helpers/label.html", {"text": text, "type": kind, "size": "md"})
    return mark_safe(html)  # noqa: S308 (rendered by a template, which has escaped the text)
