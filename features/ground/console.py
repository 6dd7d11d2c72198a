"""The base of the console's pages: lists and pages that show, and never write."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from features.ground.errors import DomainError, bounded
from features.ground.panels import Panel
from features.ground.roles import ADMIN, READERS
from features.ground.unfold import ModelAdmin

MINUTE = timedelta(minutes=1)
UPLOAD_PAGE = ("Upload data", "admin:pipeline_run_upload")
TRAIN_PAGE = ("Open a dataset, then Train a model", "admin:features_dataset_changelist")
SHORT = 32


def page_of(obj: Model) -> str:
    """Return the address of an object's page."""
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", args=[obj.pk])


def list_of(label: str, **filters: Any) -> str:
    """Return the address of a table's list, e.g. `list_of("pipeline_run", state__exact="failed")`."""
    address = reverse(f"admin:{label}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address


def link(obj: Model | None, text: str = "") -> SafeString | str:
    """Return a link to an object's page, or a dash where there is none."""
    return anchor(page_of(obj), text or str(obj)) if obj is not None else "–"


def anchor(address: str, text: str) -> SafeString:
    """Return a link."""
    kept = " c-link--name" if len(text) <= SHORT else ""
    return format_html('<a class="c-link{}" href="{}">{}</a>', kept, address, text)


def line(text: object) -> SafeString:
    """Return a text that is not broken over lines."""
    return format_html('<span class="c-line">{}</span>', text)


def mono(text: object, limit: int = 0) -> SafeString:
    """Return a digest, id or path in a fixed-width face, cut at `limit` with the whole in its title."""
    whole = str(text)
    return format_html('<code class="c-mono" title="{}">{}</code>', whole, whole[:limit] if limit else whole)


def ago(at: Any) -> SafeString | str:
    """Return a time as its distance from now, with the time itself in its title."""
    if at is None:
        return "–"
    now = timezone.now()
    distance = timesince(min(at, now), max(at, now), depth=1)
    words = "just now" if abs(now - at) < MINUTE else f"{distance} ago" if at < now else f"in {distance}"
    return format_html('<time title="{}">{}</time>', at.strftime("%Y-%m-%d %H:%M:%S UTC"), words)


def number(value: Any) -> str:
    """Return a number as people read it: thousands apart, four digits that count, dashes for nothing."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return bounded(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def as_uuid(text: str) -> UUID | None:
    """Return the identifier a person typed, or None where it isn't one."""
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def actor_of(request: HttpRequest) -> str:
    """Return who asks, as the audit trail names people."""
    return f"user:{request.user.get_username()}"


def held_roles(request: HttpRequest) -> set[str]:
    """Return the roles of a member of staff, as groups; a superuser is an administrator too."""
    kept = vars(request)
    if "held_roles" not in kept:
        held = set(request.user.groups.values_list("name", flat=True)) & set(READERS)
        kept["held_roles"] = (
            (held | ({ADMIN} if request.user.is_superuser else set())) if request.user.is_staff else set()
        )
    roles: set[str] = kept["held_roles"]
    return roles


def is_reader(request: HttpRequest) -> bool:
    """Tell whether this member of staff holds a role: whoever does may read, as in the API."""
    return bool(held_roles(request))


def is_admin(request: HttpRequest) -> bool:
    """Tell whether this member of staff is an administrator: may bring in data and change contracts, as in the API."""
    return ADMIN in held_roles(request)


class Caution(str):
    """What was done, with something in it to heed."""

    __slots__ = ()


def answer(request: HttpRequest, address: str, work: Callable[[], str]) -> HttpResponse:
    """Run an action, say on the next page how it went, and go there."""
    try:
        said = work()
        tell = messages.warning if isinstance(said, Caution) else messages.success
        tell(request, str(said))
    except DomainError as error:
        messages.error(request, error.message)
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


MakePanels = Callable[[Any], Sequence[Panel]]
_added: dict[str, list[tuple[MakePanels, str]]] = {}


def add_panels(label: str, make: MakePanels, *, after: str = "") -> None:
    """Have an upper floor's panels shown on a lower floor's page, e.g. of `models_store.modelversion`.

    They stand after the panel of that title; at the end where there is none.
    """
    _added.setdefault(label, []).append((make, after))


class ReadOnlyAdmin(ModelAdmin):
    """Shows a table; what may be changed is changed by an action's own dialog."""

    actions: Sequence[Any] | None = None
    # Names of actions, and menus of those that are rarely needed.
    actions_detail: Sequence[Any] = ()
    list_per_page = 25
    list_filter_submit = True
    change_form_template = "console/object.html"
    # What to run where the table is still empty, and what to do without a shell: words, and the page they lead to.
    next_command = ""
    next_page: tuple[str, str] = ("", "")

    def panels(self, obj: Any, request: HttpRequest) -> Sequence[Panel]:
        """Return the panels of one object's page, what matters first at the top."""
        return ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let in whoever holds a role, or the table's own permission."""
        return is_reader(request) or bool(super().has_view_permission(request, obj))

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the table to whoever may open it."""
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: rows are made by actions."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: rows are changed by actions."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: nothing here is deleted by hand."""
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[tuple[str, dict[str, Any]]]:
        """Put every stored column under the panels, folded."""
        return [("Every stored column", {"fields": self.get_fields(request, obj), "classes": ["collapse"]})]

    def get_unfold_action(self, action: str) -> Any:
        """Let an action of a row's page begin only where there is such a row."""
        found = super().get_unfold_action(action)
        found.method = self._of_a_row(found.method)
        return found

    def _of_a_row(self, method: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(method)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if "object_id" in kwargs and self.get_object(request, kwargs["object_id"]) is None:
                raise Http404(f"there is no such {self.model._meta.verbose_name}")
            return method(request, *args, **kwargs)

        return checked

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Add the panels."""
        obj = kwargs.get("obj")
        context["panels"] = self._all_panels(obj, request) if obj is not None else ()
        return super().render_change_form(request, context, *args, **kwargs)

    def _all_panels(self, obj: Any, request: HttpRequest) -> list[Panel]:
        panels = list(self.panels(obj, request))
        for make, after in _added.get(self.opts.label_lower, ()):
            place = next((at for at, panel in enumerate(panels, 1) if panel.title == after), len(panels))
            panels[place:place] = make(obj)
        return panels
