"""Contracts, column profiles and mended rows: what the data leaves behind, a row each."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from features.admin.contracts import STATE_KINDS, changes_text, columns_of, words
from features.admin.drawings import bars_of
from features.admin.profiles import Profiles, card, share
from features.ground.console import ReadOnlyAdmin, ago, link, number
from features.ground.panels import Facts, Panel, Table
from features.ground.unfold import ChoicesDropdownFilter, RelatedDropdownFilter, badge, display
from features.models import ColumnProfile, ContractVersion, QuarantineFix


@admin.register(ContractVersion)
class ContractVersionAdmin(ReadOnlyAdmin):
    """Contracts."""

    next_command = "manage.py ingest DATASET FILE"
    list_display = ("__str__", "state_label", "reason", "actor", "approved_by", "made")
    list_filter = (("dataset", RelatedDropdownFilter), ("state", ChoicesDropdownFilter))
    list_select_related = ("dataset",)
    search_fields = ("dataset__name", "reason", "actor", "approved_by")
    date_hierarchy = "created_at"

    @display(description="State", label=STATE_KINDS, ordering="state")
    def state_label(self, obj: ContractVersion) -> str:
        return obj.state

    @display(description="Made", ordering="created_at")
    def made(self, obj: ContractVersion) -> Any:
        return ago(obj.created_at)

    def panels(self, obj: ContractVersion, request: HttpRequest) -> Sequence[Panel]:
        """Show what it asks of the rows, and who wrote and approved it."""
        pairs = [
            ("Dataset", link(obj.dataset)),
            ("State", badge(obj.state, STATE_KINDS.get(obj.state, ""))),
            ("In force", "yes" if obj.number == obj.dataset.contract_number else "no"),
            ("Changed", changes_text(obj.changes)),
            ("Rules", words(obj.rules) or "–"),
            ("Quality policy", words(obj.quality_policy) or "–"),
            ("Zone of times that name none", obj.timezone or "none"),
            ("By", obj.actor),
            ("Approved by", obj.approved_by or "–"),
            ("Approved", ago(obj.approved_at)),
            ("Made", ago(obj.created_at)),
        ]
        return (Facts(title="Contract", note=obj.reason, wide=True, pairs=pairs), columns_of(obj.columns))


@admin.register(ColumnProfile)
class ColumnProfileAdmin(ReadOnlyAdmin):
    """Column profiles."""

    next_command = "manage.py ingest DATASET FILE"
    list_display = ("column", "dataset_version", "dtype", "rows", "missing_share", "distinct", "minimum", "maximum")
    list_filter = (("dataset_version__dataset", RelatedDropdownFilter), "dtype")
    list_select_related = ("dataset_version__dataset",)
    search_fields = ("column", "dataset_version__dataset__name")
    ordering = ("-dataset_version", "position")

    @display(description="Missing")
    def missing_share(self, obj: ColumnProfile) -> str:
        return share(obj)

    def panels(self, obj: ColumnProfile, request: HttpRequest) -> Sequence[Panel]:
        """Show what the column held."""
        pairs = [
            ("Version", link(obj.dataset_version)),
            ("Type", obj.dtype),
            ("Rows", number(obj.rows)),
            ("Mean", number(obj.mean)),
            ("Deviation", number(obj.deviation)),
        ]
        quantiles = [(f"{float(at):.0%}", number(value)) for at, value in obj.quantiles.items()]
        counts = [(bar.title,) for bar in bars_of(obj.histogram)]
        return (
            Facts(title="Column", wide=True, pairs=pairs),
            Profiles(title="Drawn", cards=(card(obj, [obj], ()),)),
            Table(title="Quantiles", headers=("Rows below", "Value"), rows=quantiles, empty="It has none."),
            Table(title="Counts", headers=("Values: rows",), rows=counts, empty="None were kept."),
        )


@admin.register(QuarantineFix)
class QuarantineFixAdmin(ReadOnlyAdmin):
    """Mended rows."""

    next_command = "manage.py quarantine DATASET --fix FILE"
    list_display = ("__str__", "fixed_in", "created_at")
    list_filter = (("rejected_in__dataset", RelatedDropdownFilter),)
    list_select_related = ("rejected_in__dataset", "fixed_in__dataset")
    search_fields = ("rejected_in__dataset__name",)

    def panels(self, obj: QuarantineFix, request: HttpRequest) -> Sequence[Panel]:
        """Show where a refused row went."""
        pairs = [
            ("Refused in", link(obj.rejected_in)),
            ("Row of its source", number(obj.row)),
            ("Taken in by", link(obj.fixed_in)),
            ("When", ago(obj.created_at)),
        ]
        return (Facts(title="Mended row", wide=True, pairs=pairs),)
