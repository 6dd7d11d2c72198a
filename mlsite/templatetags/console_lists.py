"""What stands above every list of the console."""

from typing import Any

from django import template
from django.contrib.admin.views.main import ChangeList
from django.utils.module_loading import import_string

register = template.Library()


@register.simple_tag(takes_context=True)
def list_tools(context: dict[str, Any], cl: ChangeList) -> Any:
    """Return the count, the exports and the reader's own filters of a list."""
    # By its path: template libraries are imported by the very modules the console's pages stand on.
    return import_string("mlsite.console.lists.tools_of")(context["request"], cl)
