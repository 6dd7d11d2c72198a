"""Signing in to the console: tries are counted by account and address, and a second factor is asked for.

The admin site imports this while it is being made, so nothing here may import the pages that register with it.
"""

from base64 import b32encode
from typing import Any
from urllib.parse import quote, urlencode

import segno
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.widgets import BASE_INPUT_CLASSES

from features.ground.console import actor_of
from features.ground.errors import DomainError
from mlsite.actions.second_factor import begin_factor, check_code, confirm_factor, drop_factor
from mlsite.login import CountedLoginForm

ISSUER = "Model life cycle"


class LoginForm(CountedLoginForm):
    """Name, password and, of who has a second factor, a code."""

    code = forms.CharField(
        label="Code",
        required=False,
        max_length=20,
        help_text="Of your authenticator, if you have set one up.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs["class"] = " ".join(BASE_INPUT_CLASSES)
        if settings.CONFIG.security.second_factor == "off":
            del self.fields["code"]

    def confirm_login_allowed(self, user: Any) -> None:
        """Ask who has a second factor for its code."""
        super().confirm_login_allowed(user)
        if "code" in self.fields:
            try:
                check_code(user.pk, self.cleaned_data.get("code", ""))
            except DomainError as error:
                raise forms.ValidationError(
                    f"{error.message[:1].upper()}{error.message[1:]}.", code=error.code
                ) from error


def has_factor(user_id: int) -> bool:
    """Tell whether codes are asked of a person."""
    return bool(TOTPDevice.objects.filter(user_id=user_id, confirmed=True).exists())


def second_factor(request: HttpRequest) -> HttpResponse:
    """Set up a second factor, or drop it; looking at the page changes nothing."""
    whose, code, begun = int(request.user.pk or 0), request.POST.get("code", ""), None
    try:
        if "begin" in request.POST:
            begun = begin_factor(whose)
        elif "confirm" in request.POST:
            confirm_factor(whose, code=code, actor=actor_of(request))
            messages.success(request, "From now on a code is asked for when you sign in.")
            return HttpResponseRedirect(reverse("admin:index"))
        elif "drop" in request.POST:
            drop_factor(whose, code=code, actor=actor_of(request))
            messages.success(request, "No code is asked for any more.")
            return HttpResponseRedirect(reverse("console-second-factor"))
    except DomainError as error:
        messages.error(request, error.message)
    if begun is None and request.method == "POST":
        begun = TOTPDevice.objects.filter(user_id=whose, confirmed=False).first()
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Second factor",
        "has_factor": has_factor(whose),
        "required": settings.CONFIG.security.second_factor == "required",
        **(told(begun, request.user.get_username()) if begun else {}),
    }
    return TemplateResponse(request, "console/second_factor.html", context)


def told(device: TOTPDevice, name: str) -> dict[str, str]:
    """Return a key as authenticators take it, to scan, to open and to type; it is shown once, to its owner."""
    key = b32encode(device.bin_key).decode().rstrip("=")
    query = urlencode(
        {"secret": key, "issuer": ISSUER, "digits": device.digits, "period": device.step}, quote_via=quote
    )
    grouped = " ".join(key[at : at + 4] for at in range(0, len(key), 4))
    address = f"otpauth://totp/{quote(ISSUER)}:{quote(name)}?{query}"
    return {"key": grouped, "address": address, "picture": qr_code(address)}


def qr_code(text: str) -> SafeString:
    """Return a text as a picture that a telephone reads, drawn here: the key goes to no other host."""
    # Light around dark in either theme, or some readers see nothing.
    drawn = segno.make_qr(text).svg_inline(
        scale=4, light="#fff", omitsize=True, svgclass="c-qr", title="The key as a QR code"
    )
    return mark_safe(drawn)  # noqa: S308 (paths alone: the text is drawn, not written)
