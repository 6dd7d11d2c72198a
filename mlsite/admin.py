"""Users, groups, schedules and tokens, in the console's dress."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as StockGroupAdmin
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.models import Group, User
from django_celery_beat import admin as beat
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from rest_framework_simplejwt.token_blacklist import admin as tokens
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from features.ground.unfold import (
    AdminPasswordChangeForm,
    ModelAdmin,
    TabularInline,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UserChangeForm,
    UserCreationForm,
)

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
)
for model in DRESSED:
    admin.site.unregister(model)


@admin.register(User)
class UserAdmin(StockUserAdmin, ModelAdmin):
    """People and service accounts."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_filter = ("groups", "is_staff", "is_active")
    list_filter_submit = True


@admin.register(Group)
class GroupAdmin(StockGroupAdmin, ModelAdmin):
    """Roles."""


class TaskSelect(UnfoldAdminSelectWidget, beat.TaskSelectWidget):
    """The list of registered tasks, in the console's dress."""


class PeriodicTaskForm(beat.PeriodicTaskForm):
    """The stock form with the console's inputs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelect()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat.PeriodicTaskAdmin, ModelAdmin):
    """Schedules."""

    form = PeriodicTaskForm
    # The stock page adds one inline script, which the console's policy refuses; the translation is a field too.
    change_form_template = None
    list_filter_submit = True
    date_hierarchy = None


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
class CrontabScheduleAdmin(beat.CrontabScheduleAdmin, ModelAdmin):
    """Timings by the calendar."""

    inlines = (PeriodicTaskInline,)


@admin.register(ClockedSchedule)
class ClockedScheduleAdmin(beat.ClockedScheduleAdmin, ModelAdmin):
    """Timings at one moment."""

    inlines = (PeriodicTaskInline,)


@admin.register(IntervalSchedule, SolarSchedule)
class TimingAdmin(ModelAdmin):
    """Timings by an interval or the sun."""

    inlines = (PeriodicTaskInline,)


@admin.register(OutstandingToken)
class OutstandingTokenAdmin(tokens.OutstandingTokenAdmin, ModelAdmin):
    """Refresh tokens in use; never shown whole."""

    exclude = ("token",)
    ordering = ("-created_at",)

    def get_readonly_fields(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Leave out the token itself: who reads the page could use it."""
        return [field.name for field in self.model._meta.fields if field.name != "token"]


@admin.register(BlacklistedToken)
class BlacklistedTokenAdmin(tokens.BlacklistedTokenAdmin, ModelAdmin):
    """Refresh tokens that were revoked."""
