"""What lists of datasets and views can be narrowed to."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from features.ground.unfold import DropdownFilter


class ContractFilter(DropdownFilter):
    """Datasets by whether a person has approved their contract."""

    title = "contract"
    parameter_name = "contract"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the states."""
        return [("approved", "approved"), ("proposed", "waits for approval")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list."""
        return queryset.filter(contract_state=self.value()) if self.value() else queryset


class QuarantineFilter(DropdownFilter):
    """Datasets by whether rows wait in quarantine."""

    title = "quarantine"
    parameter_name = "quarantine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the states."""
        return [("open", "holds rows"), ("empty", "is empty")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list."""
        if self.value() == "open":
            return queryset.filter(open_quarantine__gt=0)
        return queryset.filter(open_quarantine=0) if self.value() == "empty" else queryset


class MaterializedFilter(DropdownFilter):
    """Views by whether they have online values."""

    title = "online values"
    parameter_name = "online"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the states."""
        return [("yes", "has some"), ("no", "has none")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list."""
        return queryset.filter(live_snapshot__isnull=self.value() == "no") if self.value() else queryset
