"""Tables that the framework's own forms change: each input says what it is for, and each change is in the audit."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from features.ground.audit import record_audit
from features.ground.console import actor_of
from features.ground.errors import bounded
from features.ground.refusals import refused_at_the_door
from features.ground.unfold import ModelAdmin
from mlsite.console.lists import SECRETS

BEFORE = "row_before"


class StockPage(ModelAdmin):
    """A page with a form of the framework's."""

    # What an input is for, where the framework says nothing or too little.
    helps: Mapping[str, str] = {}

    def get_form(self, request: HttpRequest, obj: Any = None, **how: Any) -> Any:
        """Return the form, with a help text at each input."""
        form = super().get_form(request, obj, **how)
        for name, said in self.helps.items():
            if name in form.base_fields:
                form.base_fields[name].help_text = said
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save the row, and remember what it was."""
        stored = self.model._base_manager.filter(pk=obj.pk).first() if change else None
        setattr(request, BEFORE, told(stored) if stored else {})
        super().save_model(request, obj, form, change)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Audit a row that was made, in the transaction that made it."""
        self._audit(request, "add", obj, after=told(obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Audit a row that was changed, in the transaction that changed it."""
        before, after = getattr(request, BEFORE, None), told(obj)
        if before is None:
            # The form that sets a password alone saves by itself.
            self._audit(request, "change", obj, after={"password": "changed"})
        else:
            moved = [name for name in after if before.get(name) != after[name]]
            was, now = ({name: row.get(name) for name in moved} for row in (before, after))
            self._audit(request, "change", obj, before=was, after=now)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Audit rows that are about to be deleted, in the transaction that deletes them."""
        for obj in queryset:
            self._audit(request, "delete", obj, before=told(obj))
        return super().log_deletions(request, queryset)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Run an action of the list on the chosen rows; what deletes says so for each row itself."""
        name = request.POST.get("action", "")
        every = request.POST.get("select_across") == "1"
        with transaction.atomic():
            ticked = queryset if every else queryset.filter(pk__in=request.POST.getlist("_selected_action"))
            chosen = list(ticked.order_by("pk"))
            answer: HttpResponse | None = super().response_action(request, queryset)
            if name in self.get_actions(request) and not name.startswith("delete"):
                for obj in chosen:
                    self._audit(request, name, obj)
        return answer

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Show the form; what was sent in it and can't be used is told to whoever keeps the audit."""
        if request.method == "POST" and context.get("errors"):
            why = context["adminform"].form.errors.get_json_data()
            refused_at_the_door.send(type(self), request=request, why=why)
        return super().render_change_form(request, context, *args, **kwargs)

    def _audit(
        self,
        request: HttpRequest,
        deed: str,
        obj: Model,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        name = str(self.opts.model_name)
        action = f"{deed}_{name}" if deed in ("add", "change", "delete") else deed
        record_audit(
            actor=actor_of(request),
            action=action,
            object_type=name,
            object_id=bounded(str(obj), 200),
            before=before,
            after=after,
        )


def told(obj: Model) -> dict[str, Any]:
    """Return what the audit may keep of a row: everything but what somebody could act as another with."""
    fields = [field for field in obj._meta.concrete_fields if field.name not in SECRETS]
    plain = {field.name: field.value_from_object(obj) for field in fields}
    row = {
        name: value if value is None or isinstance(value, bool | int) else str(value) for name, value in plain.items()
    }
    many = obj._meta.many_to_many
    return row | {field.name: sorted(str(other) for other in field.value_from_object(obj)) for field in many}
