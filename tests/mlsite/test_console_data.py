"""Pages of datasets, views and snapshots: what matters first, drawn, and nothing written."""

import re
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from features.admin import lineage, profiles
from features.models import ColumnProfile, Dataset, DatasetVersion, FeatureSnapshot, FeatureView
from models_store.models import ModelVersion


def page(client: Client, obj: Any, query: str = "") -> str:
    """Return an object's page."""
    address = reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", args=[obj.pk])
    answer = client.get(address + query)
    assert answer.status_code == 200
    return answer.content.decode()


def panel(text: str, title: str) -> str:
    """Return one panel of a page."""
    return text.split(f'aria-label="{title}"', 1)[1].split("</section>", 1)[0]


def titles(text: str) -> list[str]:
    return re.findall(r'<section class="c-panel[^"]*" aria-label="([^"]*)"', text)


@pytest.fixture
def flights(console_site: dict[int, ModelVersion], db: None) -> Dataset:
    return Dataset.objects.get(name="flights")


def test_dataset_page_says_what_matters_first(console: Client, flights: Dataset) -> None:
    text = page(console, flights)
    assert titles(text)[:6] == ["Now", "About", "Next", "Changed since version 1", "Profile", "Quarantine"]
    now = panel(text, "Now")
    assert "1,500" in now
    assert "flights@2" in now
    # 41 rows were refused, one of them has come back.
    assert ">40<" in now
    assert "proposed" in now
    assert "manage.py schema flights --approve" in panel(text, "Next")


def test_columns_are_drawn_and_what_changed_is_marked(console: Client, flights: Dataset) -> None:
    text = page(console, flights)
    grid = panel(text, "Profile")
    assert grid.count("<article") == 8
    wind = grid.split('title="wind_speed_mph"')[1].split("</article>")[0]
    assert wind.count("<rect") == 20
    assert "version 1: 0.0%; version 2: 10.0%" in wind
    assert "c-trend--changed" in wind
    assert "mean: 8.766 → 14.03" in wind
    carrier = grid.split('title="carrier"')[1].split("</article>")[0]
    assert "new values: UA" in carrier
    assert "c-column--changed" not in grid.split("wind_speed_mph")[0].split("<article")[-2]
    changed = panel(text, "Changed since version 1")
    assert "wind_speed_mph" in changed
    assert "hour" not in changed


def test_columns_come_in_pages(console: Client, flights: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "COLUMNS", 3)
    first = panel(page(console, flights), "Profile")
    assert first.count("<article") == 3
    assert re.findall(r'href="(\?columns=\d)"', first) == ["?columns=0", "?columns=1", "?columns=2"]
    assert panel(page(console, flights, "?columns=2"), "Profile").count("<article") == 2
    for typed in ("99", "-1", "x", "²", "9" * 30):
        assert "<article" in panel(page(console, flights, f"?columns={typed}"), "Profile")


def test_hostile_names_are_text_everywhere(console: Client, flights: Dataset) -> None:
    bad = '"><script>alert(1)</script>'
    newest = flights.versions.get(number=2)
    DatasetVersion.objects.filter(pk=newest.pk).update(source=bad, reasons={bad: 41}, warnings=[{"rule": bad}])
    ColumnProfile.objects.filter(dataset_version=newest, position=1).update(
        column=bad, minimum=bad, maximum=bad, histogram={"values": [bad], "counts": [3], "other": 0}
    )
    flights.schema = [{"name": bad, "dtype": "string", "pattern": bad, "description": bad, "unit": bad}]
    flights.description, flights.rules = bad, {bad: {bad: bad}}
    flights.save()
    FeatureView.objects.update(
        owner=bad, derived=[{"name": bad, "expression": bad}], tests=[{"name": bad, "feature": bad, "min": 1}]
    )
    for shown in (flights, newest, FeatureView.objects.get(), FeatureSnapshot.objects.get(kind="training")):
        text = page(console, shown)
        assert "<script>alert" not in text
    assert bad in unescape(page(console, flights))
    quarantine = reverse("admin:features_dataset_quarantine", args=[flights.pk])
    assert "<script>alert" not in console.get(quarantine).content.decode()
    assert console.get(quarantine, {"reason": bad, "version": bad, "page": bad}).status_code == 200


def test_lineage_is_drawn_on_all_four_pages(console: Client, console_site: dict[int, ModelVersion]) -> None:
    training = FeatureSnapshot.objects.get(kind="training")
    for shown in (training.dataset_version.dataset, FeatureView.objects.get(), training, console_site[1]):
        drawn = panel(page(console, shown), "Lineage")
        assert drawn.count("<svg") == 2
        assert drawn.count('aria-current="page"') == 2
        for words in ("<title", "<desc", "flights", "carrier-rates v1", "late-arrivals@1"):
            assert words in drawn
        addresses = set(re.findall(r'href="([^"]+)"', drawn))
        assert all(console.get(address).status_code == 200 for address in addresses)
        assert len(addresses) >= 4
    assert "late-arrivals@2" not in panel(page(console, console_site[1]), "Lineage")


def test_lineage_counts_what_it_does_not_draw(
    console: Client, console_site: dict[int, ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage, "MOST", 1)
    drawn = panel(page(console, Dataset.objects.get()), "Lineage")
    assert "and 1 more" in drawn
    (rest,) = set(re.findall(r'href="(/admin/features/featuresnapshot/\?[^"]+)"', unescape(drawn)))
    assert console.get(rest).status_code == 200


def test_view_page_shows_definition_values_and_versions(console: Client, console_site: dict[int, ModelVersion]) -> None:
    first = FeatureView.objects.get()
    second = FeatureView.objects.create(
        name=first.name,
        version=2,
        dataset=first.dataset,
        entity_columns=["carrier"],
        definition_digest="9" * 64,
        ttl_seconds=3600,
        aggregations=[
            {**first.aggregations[0], "window": "30d"},
            {"name": "flights_1d", "column": "", "function": "count", "window": "1d"},
        ],
        derived=[{"name": "busy", "expression": "flights_1d / 24"}],
        tests=[{"name": "share", "feature": "carrier_late_share_7d", "min": 0, "max": 1}],
    )
    text = page(console, second)
    assert "flights_1d / 24" in panel(text, "Derived features")
    assert "carrier_late_share_7d: min 0, max 1" in panel(text, "Tests of its values")
    assert "manage.py materialize carrier-rates" in panel(text, "Next")
    assert "No values are served yet." in panel(text, "Freshness")
    changed = unescape(panel(text, "Versions"))
    for words in ("ttl seconds: 86,400 → 3,600", "added flights_1d", "window 7d → window 30d", "added busy"):
        assert words in changed
    sample = panel(page(console, first), "Sample of online values")
    assert sample.lower().count("present") == 4
    assert "0.21" in sample
    FeatureView.objects.filter(pk=first.pk).update(ttl_seconds=60)
    drawn = panel(page(console, first), "Freshness")
    assert re.search(
        r'role="img" aria-label="newest event \S.* ago, expired; .*made .*; values expire after: 1 min"', drawn
    )
    assert drawn.count("<circle") == drawn.count("c-fresh__good")
    assert drawn.count('class="c-fresh__expired"') == 1


def test_lists_are_narrowed_by_filters(console: Client, flights: Dataset) -> None:
    datasets, views = reverse("admin:features_dataset_changelist"), reverse("admin:features_featureview_changelist")
    for address, query, count in (
        (datasets, {"contract": "proposed"}, 1),
        (datasets, {"contract": "approved"}, 0),
        (datasets, {"quarantine": "open"}, 1),
        (datasets, {"quarantine": "empty"}, 0),
        (datasets, {"o": "2.3.-4.5"}, 1),
        (views, {"online": "yes"}, 1),
        (views, {"online": "no"}, 0),
    ):
        answer = console.get(address, query)
        assert answer.context["cl"].result_count == count, query


def test_reading_the_data_writes_nothing(console: Client, flights: Dataset) -> None:
    statements: list[str] = []

    def watch(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(watch):
        for shown in (flights, flights.versions.get(number=2), FeatureView.objects.get()):
            page(console, shown)
        for name in ("quarantine",):
            assert console.get(reverse(f"admin:features_dataset_{name}", args=[flights.pk])).status_code == 200
        assert console.get(reverse("admin:pipeline_run_upload")).status_code == 200
    assert not [sql for sql in statements if not sql.startswith(("SELECT", "SAVEPOINT", "RELEASE"))]


def test_snapshot_page_says_who_accepted_what_leaks(console: Client, console_site: dict[int, ModelVersion]) -> None:
    found = {"name": "target_copy:fare", "severity": "stop", "text": "fare tells the target", "evidence": {}}
    snapshot = FeatureSnapshot.objects.create(
        name="fares",
        dataset_version=DatasetVersion.objects.get(number=2),
        fingerprint="7" * 64,
        rows=1,
        leakage={"findings": [{**found, "accepted": True, "reason": "Known before.", "by": "user:ada"}]},
    )
    shown = panel(page(console, snapshot), "Leakage check")
    for words in ("target_copy:fare", "accepted", "fare tells the target", "Known before.", "user:ada"):
        assert words in shown
