"""The admin's app: its pages are imported with the routes, as a command that serves nothing needs none of them."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class AdminPagesConfig(SimpleAdminConfig):
    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(_check_pages, checks.Tags.admin)


def _check_pages(app_configs: Sequence[AppConfig] | None, **how: Any) -> list[checks.CheckMessage]:
    # Checks run in no order: the routes, which import the pages, may be looked at last.
    admin.autodiscover()
    return list(check_admin_app(app_configs, **how))
