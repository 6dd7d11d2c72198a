"""Users, groups, schedules and tokens, in the console's dress."""

import importlib
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as StockGroupAdmin
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from django_celery_beat import admin as beat
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework_simplejwt.token_blacklist import admin as tokens
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from features.ground.console import ReadOnlyAdmin, ago, link
from features.ground.panels import Facts, Panel
from features.ground.unfold import (
    AdminPasswordChangeForm,
    RangeDateTimeFilter,
    TabularInline,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UserChangeForm,
    UserCreationForm,
)
from mlsite.console.stock import StockPage

DRESSED = (
    User,
    Group,
    PeriodicTask,
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    SolarSchedule,
    OutstandingToken,
    BlacklistedToken,
    TOTPDevice,
)
importlib.import_module("django_otp.plugins.otp_totp.admin")
for model in DRESSED:
    admin.site.unregister(model)


@admin.register(User)
class UserAdmin(StockUserAdmin, StockPage):
    """People and service accounts."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_filter = ("groups", "is_staff", "is_active")
    list_filter_submit = True
    readonly_fields = ("last_login", "date_joined")
    helps = {
        "first_name": "May be left empty.",
        "last_name": "May be left empty.",
        "email": "Where a colleague reaches this person; nothing is sent there.",
        "is_staff": "May sign in to the console; what they may do there is said by their groups.",
        "is_superuser": "May do everything, users and schedules too. Few people need it: prefer the group admin.",
        "groups": "Their roles: readonly sees, user predicts, promoter asks, approver approves, admin configures.",
        "user_permissions": "Rights beyond those of their groups; best left empty.",
    }

    @method_decorator(sensitive_post_parameters())
    def user_change_password(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Set a password and say so in the audit, both or neither."""
        with transaction.atomic():
            return super().user_change_password(*args, **kwargs)


@admin.register(Group)
class GroupAdmin(StockGroupAdmin, StockPage):
    """Roles."""

    helps = {
        "name": "The names admin, promoter, approver, user and readonly are the roles; others only hold rights.",
        "permissions": "What members may do beyond reading; a role's own rights come back with each migration.",
    }


class TaskSelect(UnfoldAdminSelectWidget, beat.TaskSelectWidget):
    """The list of registered tasks, in the console's dress."""


class PeriodicTaskForm(beat.PeriodicTaskForm):
    """The stock form with the console's inputs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelect()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat.PeriodicTaskAdmin, StockPage):
    """Schedules."""

    form = PeriodicTaskForm
    # The stock page adds one inline script, which the console's policy refuses; the translation is a field too.
    change_form_template = None
    list_filter_submit = True
    date_hierarchy = None
    helps = {
        "regtask": "Choose pipeline.start_run to start a run; the others are the product's own chores.",
        "task": "Only where the list above lacks it.",
        "kwargs": 'Of pipeline.start_run, which run and with what: {"kind": "drift", "params": {"model": "NAME"}}. '
        "Kinds and params are those of POST /api/v1/runs.",
    }


class PeriodicTaskInline(TabularInline):
    """The schedules that use a timing."""

    model = PeriodicTask
    fields = readonly_fields = ("name", "task", "args", "kwargs")
    can_delete = False
    extra = 0
    show_change_link = True

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:
        """Refuse: schedules are made on their own page."""
        return False


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(beat.CrontabScheduleAdmin, StockPage):
    """Timings by the calendar."""

    inlines = (PeriodicTaskInline,)


@admin.register(ClockedSchedule)
class ClockedScheduleAdmin(beat.ClockedScheduleAdmin, StockPage):
    """Timings at one moment."""

    inlines = (PeriodicTaskInline,)


@admin.register(IntervalSchedule, SolarSchedule)
class TimingAdmin(StockPage):
    """Timings by an interval or the sun."""

    inlines = (PeriodicTaskInline,)


@admin.register(OutstandingToken)
class OutstandingTokenAdmin(tokens.OutstandingTokenAdmin, StockPage):
    """Refresh tokens in use; never shown whole."""

    exclude = ("token",)
    ordering = ("-created_at",)

    def get_readonly_fields(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Leave out the token itself: who reads the page could use it."""
        return [field.name for field in self.model._meta.fields if field.name != "token"]


@admin.register(BlacklistedToken)
class BlacklistedTokenAdmin(tokens.BlacklistedTokenAdmin, StockPage):
    """Refresh tokens that were revoked."""

    helps = {"token": "It can't be exchanged for an access token any more, from now on."}


@admin.register(TOTPDevice)
class SecondFactorAdmin(StockPage, ReadOnlyAdmin):
    """Second factors; who has lost theirs is helped by deleting it. The key is never shown."""

    next_page = ("Set up your own", "console-second-factor")
    list_display = ("user", "name", "confirmed", "created_at", "last_used_at")
    list_filter = ("confirmed", ("created_at", RangeDateTimeFilter))
    search_fields = ("user__username",)
    list_select_related = ("user",)
    exclude = ("key",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let in whoever may see accounts."""
        return request.user.has_perm("otp_totp.view_totpdevice")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let in whoever may delete them, by the table's own permission."""
        return request.user.has_perm("otp_totp.delete_totpdevice")

    def panels(self, obj: TOTPDevice, request: HttpRequest) -> Sequence[Panel]:
        """Show whose it is and when it was used."""
        pairs = [("Whose", link(obj.user)), ("Confirmed", "yes" if obj.confirmed else "not yet")]
        pairs += [("Made", ago(obj.created_at)), ("Used", ago(obj.last_used_at))]
        return (Facts(title="Second factor", wide=True, pairs=pairs),)
