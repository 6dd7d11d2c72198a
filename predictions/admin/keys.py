"""API keys in the console: made and shown once, revoked."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from features.ground.console import ReadOnlyAdmin, actor_of, ago, answer, is_admin, mono, page_of
from features.ground.errors import DomainError
from features.ground.panels import Facts, Panel
from features.ground.role_names import ROLES
from features.ground.unfold import (
    ActionDialog,
    BaseDialogForm,
    RangeDateTimeFilter,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    action,
    badge,
    display,
)
from models_store.core.reasons import MAX_REASON
from predictions.actions.api_keys import MAX_DAYS, new_key, revoke_key
from predictions.models import ApiKey

KINDS = {"good": "success", "revoked": "danger", "expired": "warning"}


class NewKeyForm(forms.Form):
    """Ask what a key is for."""

    name = forms.CharField(
        max_length=100, widget=UnfoldAdminTextInputWidget, help_text="What uses it: letters, digits, - and _."
    )
    role = forms.ChoiceField(
        choices=[(role, role) for role in ROLES],
        initial="user",
        widget=UnfoldAdminSelectWidget,
        help_text="What it may do.",
    )
    models = forms.CharField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="Names separated by commas; all, if left empty."
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=MAX_DAYS,
        initial=90,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="How long it holds.",
    )


class RevokeForm(BaseDialogForm):
    """Ask why a key is revoked."""

    reason = forms.CharField(
        max_length=MAX_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Why is it revoked? It is kept in the audit trail.",
    )


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """API keys."""

    next_command = "manage.py api_keys new NAME"
    list_display = ("name", "prefix", "state", "good_for", "expires_at", "used", "created_by")
    list_filter = (("expires_at", RangeDateTimeFilter), ("revoked_at", RangeDateTimeFilter))
    search_fields = ("name", "prefix")
    exclude = ("secret_hash",)
    actions_list = ("new",)
    actions_detail = ("revoke",)

    @display(description="State", label=KINDS)
    def state(self, obj: ApiKey) -> str:
        return "revoked" if obj.revoked_at else "expired" if obj.expires_at <= timezone.now() else "good"

    @display(description="Good for")
    def good_for(self, obj: ApiKey) -> str:
        return f"{', '.join(obj.roles)}; {', '.join(obj.models) or 'all models'}"

    @display(description="Last used", ordering="last_used_at")
    def used(self, obj: ApiKey) -> Any:
        return ago(obj.last_used_at)

    def panels(self, obj: ApiKey, request: HttpRequest) -> Sequence[Panel]:
        """Show what a key is good for; its secret is nowhere to be shown."""
        pairs = [
            ("State", badge(self.state(obj), KINDS[self.state(obj)])),
            ("Good for", self.good_for(obj)),
            ("Public part", mono(obj.prefix)),
            ("Ends", obj.expires_at),
            ("Revoked", ago(obj.revoked_at)),
            ("Last used", ago(obj.last_used_at)),
            ("Made by", obj.created_by),
        ]
        return (Facts(title="API key", wide=True, pairs=pairs),)

    def has_keys_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Tell whether this person may make and revoke keys."""
        return is_admin(request)

    def get_urls(self) -> list[URLPattern]:
        """Add the page that makes a key."""
        page = self.admin_site.admin_view(self.make)
        return [path("make/", page, name="predictions_apikey_make"), *super().get_urls()]

    @action(description="New key", url_path="new", permissions=["keys"], icon="add")
    def new(self, request: HttpRequest) -> HttpResponse:
        """Go to the page that makes a key."""
        return HttpResponse(status=302, headers={"Location": reverse("admin:predictions_apikey_make")})

    def make(self, request: HttpRequest) -> HttpResponse:
        """Ask what a key is for; show it once, in the answer itself and nowhere else."""
        if not is_admin(request):
            raise PermissionDenied
        form, made = NewKeyForm(request.POST or None), None
        if request.method == "POST" and form.is_valid():
            asked = form.cleaned_data
            models = [name.strip() for name in asked["models"].split(",") if name.strip()]
            try:
                made = new_key(
                    asked["name"], roles=[asked["role"]], models=models, days=asked["days"], actor=actor_of(request)
                )
            except DomainError as error:
                form.add_error(None, error.message)
        context = {**self.admin_site.each_context(request), "title": "New API key", "form": form, "made": made}
        return TemplateResponse(request, "console/api_key.html", context | {"opts": self.opts})

    @action(
        description="Revoke",
        url_path="revoke",
        permissions=["keys"],
        icon="block",
        dialog=ActionDialog(
            title="Revoke this key?",
            description="Servers refuse it within half a minute.",
            form_class=RevokeForm,
            form_submit_text="Revoke",
        ),
    )
    def revoke(self, request: HttpRequest, form: RevokeForm, object_id: str) -> HttpResponse:
        """Make the key worthless."""
        key = get_object_or_404(ApiKey, pk=object_id)
        reason = form.cleaned_data["reason"]

        def work() -> str:
            done = revoke_key(key.name, actor=actor_of(request), reason=reason)
            return f"{key.name} is revoked." if done else f"{key.name} was revoked before."

        return answer(request, page_of(key), work)
