"""Datasets with what people ask of them first."""

from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from features.models import ContractVersion, Dataset, DatasetVersion, QuarantineFix


def with_newest() -> QuerySet[Dataset]:
    """Return datasets with number, rows and newest event of the newest version, and the rows still in quarantine."""
    newest = DatasetVersion.objects.filter(dataset=OuterRef("pk")).order_by("-number")
    refused = DatasetVersion.objects.filter(dataset=OuterRef("pk")).order_by().values("dataset")
    fixed = QuarantineFix.objects.filter(rejected_in__dataset=OuterRef("pk")).order_by().values("rejected_in__dataset")
    contract = ContractVersion.objects.filter(dataset=OuterRef("pk"), number=OuterRef("contract_number"))
    return Dataset.objects.annotate(
        contract_state=Coalesce(Subquery(contract.values("state")[:1]), Value("")),
        newest_number=Subquery(newest.values("number")[:1]),
        newest_rows=Subquery(newest.values("rows_total")[:1]),
        newest_event_at=Subquery(newest.values("last_event_at")[:1]),
        refused=Coalesce(Subquery(refused.annotate(n=Sum("rows_rejected")).values("n")), 0),
        fixed=Coalesce(Subquery(fixed.annotate(n=Count("pk")).values("n")), 0),
        open_quarantine=F("refused") - F("fixed"),
    )
