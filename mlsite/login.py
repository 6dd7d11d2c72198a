"""Signing in to the console: so many tries for an address and an account, and no more."""

import math
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import Throttled
from unfold.forms import AuthenticationForm

from predictions.errors import LimitUnavailableError
from predictions.throttles import count_try

REFUSED = "login_refused"


class CountedLoginForm(AuthenticationForm):
    """Username and password, counted before they are looked at."""

    def clean(self) -> dict[str, Any]:
        """Count the try, then look."""
        account = str(self.data.get("username", "")).strip()
        try:
            count_try(self.request, "login", settings.CONFIG.login_rate_limit, account)
        except Throttled as error:
            wait = math.ceil(getattr(error, "wait", None) or 1)
            setattr(self.request, REFUSED, (429, wait))
            raise ValidationError(f"Too many tries: wait {wait} seconds and try again.") from error
        except LimitUnavailableError as error:
            setattr(self.request, REFUSED, (503, 1))
            raise ValidationError("Tries can't be counted, so none is allowed; try again soon.") from error
        return dict(super().clean())


def login(request: HttpRequest) -> HttpResponse:
    """Show the console's form; a refused try has the status that says so."""
    response: HttpResponse = admin.site.login(request)
    if found := getattr(request, REFUSED, None):
        response.status_code, response["Retry-After"] = found[0], str(found[1])
    return response
