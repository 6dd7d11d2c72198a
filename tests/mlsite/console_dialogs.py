"""Every dialog of the console, found where the pages name their actions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

import mlsite.urls  # noqa: F401  (registers the pages)


@dataclass(frozen=True)
class Dialog:
    """One action of a page that asks before it acts."""

    model: Any
    name: str
    form: Any

    def address(self, object_id: Any) -> str:
        """Return where it is asked for and sent to."""
        return reverse(
            f"admin:{self.model._meta.app_label}_{self.model._meta.model_name}_{self.name}", args=[object_id]
        )

    def __str__(self) -> str:
        return f"{self.model.__name__}.{self.name}"


def dialogs() -> Iterator[Dialog]:
    """Yield the dialogs of all pages."""
    for model, page in admin.site._registry.items():
        for name in page._extract_action_names(getattr(page, "actions_detail", ())):
            if found := getattr(getattr(page, name), "dialog", None):
                yield Dialog(model, name, found["form_class"])


def submit(client: Client, address: str, **fields: object) -> HttpResponse:
    """Submit a dialog as the page does, with what it hides filled in."""
    hidden = {}
    shown = client.get(address)
    if shown.status_code == 200:
        form = shown.context["form"]
        hidden = {name: field.initial for name, field in form.fields.items() if field.widget.is_hidden}
    return client.post(address, {**hidden, "_form_submitted": "on", **fields}, headers={"HX-Request": "true"})
