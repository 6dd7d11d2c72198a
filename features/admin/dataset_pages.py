"""The pages of a dataset and of its versions, what matters first at the top."""

from collections.abc import Sequence
from typing import Any

from django.utils.html import format_html

from features.adapters.quarantine import open_quarantine
from features.admin.contracts import contract_table, history_table, report_table, rules_table
from features.admin.lineage import dataset_lineage
from features.admin.panels import SHOWN, snapshots_table, views_table
from features.admin.profiles import profile_panels
from features.admin.quarantine import address_of, reasons_table
from features.admin.version_pages import versions_table
from features.ground.console import ago, anchor, number
from features.ground.panels import Code, Facts, Figures, Panel
from features.ground.unfold import badge
from features.models import Dataset, DatasetVersion, FeatureSnapshot

CONTRACT_KINDS = {"approved": "success", "proposed": "warning"}


def dataset_panels(obj: Dataset, columns_page: int) -> list[Panel]:
    """Return a dataset's page."""
    versions = list(obj.versions.select_related("dataset").order_by("-number")[:SHOWN])
    contract = obj.contracts.filter(number=obj.contract_number).first()
    return [
        now_figures(obj, versions, contract),
        about_facts(obj),
        next_step(obj, versions, contract),
        *profile_panels(obj, columns_page),
        reasons_table(obj),
        rules_table(obj),
        *((report_table(obj),) if contract is not None and contract.state == "proposed" and contract.report else ()),
        contract_table(obj),
        history_table(obj),
        versions_table(versions),
        dataset_lineage(obj),
        views_table(obj.views.select_related("live_snapshot").order_by("name", "-version")[:SHOWN]),
        snapshots_table(FeatureSnapshot.objects.filter(dataset_version__dataset=obj)[:SHOWN]),
    ]


def now_figures(obj: Dataset, versions: Sequence[DatasetVersion], contract: Any) -> Figures:
    """Return the numbers at the top."""
    newest = versions[0] if versions else None
    waiting = open_quarantine(obj)
    state = contract.state if contract else "not written yet"
    return Figures(
        title="Now",
        note=obj.description,
        wide=True,
        figures=[
            ("Rows", number(newest.rows_total if newest else None), str(newest) if newest else "no version yet", ""),
            ("Newest event", ago(newest.last_event_at if newest else None), freshness_words(obj, newest), ""),
            ("In quarantine", number(waiting), "rows to be mended" if waiting else "nothing waits", address_of(obj)),
            ("Contract", obj.contract_number, badge(state, CONTRACT_KINDS.get(state, "")), ""),
        ],
    )


def freshness_words(obj: Dataset, newest: DatasetVersion | None) -> str:
    """Return how old the newest event may be, or why nobody can tell its age."""
    if not obj.timestamp_column:
        return "the rows have no time"
    if newest is None:
        return "no event yet"
    rule = obj.rules.get("freshness")
    limit = rule.get("max_age") or rule.get("max") if isinstance(rule, dict) else rule
    return f"at most {limit} old when taken in" if limit else f"by {obj.timestamp_column}"


def about_facts(obj: Dataset) -> Facts:
    """Return what the rows are."""
    pairs = [
        ("Entity", ", ".join(obj.entity_columns) or "–"),
        ("Target", obj.target_column or "–"),
        ("Time of an event", obj.timestamp_column or "–"),
        ("Known at", obj.known_at_column or "–"),
        ("Zone of times that name none", obj.timezone or "none: they are refused"),
        ("Folders by", obj.get_partition_by_display() or "–"),
        ("Faulty rows allowed", allowed_text(obj.quality_policy)),
        ("Old versions kept", f"{obj.keep_days} days" if obj.keep_days is not None else "as the installation says"),
    ]
    return Facts(title="About", pairs=pairs)


def allowed_text(policy: Any) -> str:
    """Return the quality policy in words."""
    share = policy.get("max_rejected") if isinstance(policy, dict) else None
    if isinstance(policy, dict) and policy.get("on_fault") == "fail":
        return "none: one faulty row refuses them all"
    return f"up to {share * 100:.4g} % of a file" if isinstance(share, int | float) else "as the installation says"


def next_step(obj: Dataset, versions: Sequence[DatasetVersion], contract: Any) -> Code:
    """Return what comes next, and its command."""
    name = obj.name
    why: Any
    if not versions:
        why, text = "There are no rows yet: Upload data, or so:", f"manage.py ingest {name} FILE"
    elif contract is not None and contract.state == "proposed":
        why = "The contract was inferred from the first rows: read it below, then approve it here or so:"
        text = f'manage.py schema {name} --approve --reason "WHY"'
    elif open_quarantine(obj):
        browse = anchor(address_of(obj), "Browse them")
        why = format_html("Refused rows wait. {}, mend them in an export, and bring them back; or so:", browse)
        text = f"manage.py quarantine {name} --export refused.csv\nmanage.py quarantine {name} --fix refused.csv"
    elif not obj.views.exists():
        why, text = (
            "Train a model on the rows as they are, at the top; or first declare what is computed from them:",
            (f"manage.py features apply VIEW.yaml\nmanage.py snapshot NAME --dataset {name}"),
        )
    else:
        why = "Train a model, at the top, names the views whose features it takes. To keep the rows first:"
        text = f"manage.py snapshot NAME --dataset {name} --view VIEW\nmanage.py train MODEL --snapshot ID"
    return Code(title="Next", note=why, text=text)
