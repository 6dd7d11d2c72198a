"""Two versions side by side: metrics with intervals, slices, importance, inputs, parameters, provenance."""

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from models_store.admin.comparison import metric_row, schema, with_interval
from models_store.models import ModelVersion, RegisteredModel
from tests.mlsite.test_console_data import titles

ADDRESS = "admin:models_store_modelversion_comparison"


def beside(client: Client, first: Any, second: Any) -> Any:
    return client.get(reverse(ADDRESS), {"first": first, "second": second})


def test_page_shows_both_versions(console: Client, console_site: dict[int, ModelVersion]) -> None:
    answer = beside(console, console_site[1].pk, console_site[2].pk)
    page = answer.content.decode()
    assert titles(page)[:4] == ["Compare", "Side by side", "Metrics", "log loss by carrier"]
    assert {"Inputs", "Made from"} <= set(titles(page))
    panels = {panel.title: panel for panel in answer.context["panels"]}
    estimator = next(row for row in panels["Side by side"].rows if row[0] == "Estimator")
    assert estimator[1:] == ("logistic regression", "hist gradient boosting")
    differ, same = panels["Parameters in which they differ"].rows, panels["Parameters that are the same"].rows
    assert ("logistic_regression", "hist_gradient_boosting") in [row[1:] for row in differ]
    assert same
    assert all(row[1] == row[2] for row in same)
    assert panels["Inputs"].note == "The same names and types in the same order."
    assert {row[0] for row in panels["log loss by carrier"].rows} == {"AA", "B6", "DL", "UA"}


def versions(**metrics: Any) -> tuple[ModelVersion, ModelVersion]:
    model = RegisteredModel(name="m", primary_metric="log_loss")
    made = [
        ModelVersion(model=model, number=at + 1, metrics={name: values[at] for name, values in metrics.items()})
        for at in (0, 1)
    ]
    return made[0], made[1]


def test_difference_within_the_intervals_is_not_called_better_without_saying_so() -> None:
    test = [{"log_loss": 0.40}, {"log_loss": 0.39}]
    far = versions(test=test, intervals=[{"test": {"log_loss": [0.399, 0.401]}}, {"test": {"log_loss": [0.38, 0.398]}}])
    near = versions(test=test, intervals=[{"test": {"log_loss": [0.38, 0.42]}}, {"test": {"log_loss": [0.37, 0.41]}}])
    assert metric_row(near, "log_loss")[1] == "0.4 (0.38 to 0.42)"
    assert metric_row(near, "log_loss")[-1] == "m@2, intervals overlap"
    assert "overlap" not in metric_row(far, "log_loss")[-1]
    assert "m@2" in metric_row(far, "log_loss")[-1]
    assert metric_row(far, "roc_auc")[-1] == "–"


def test_higher_is_better_where_it_is() -> None:
    assert "m@1" in metric_row(versions(test=[{"roc_auc": 0.9}, {"roc_auc": 0.8}]), "roc_auc")[-1]
    assert with_interval(None, None) == "–"


def test_inputs_that_differ_come_first_and_are_named() -> None:
    pair = versions()
    pair[0].input_schema = [{"name": "a", "dtype": "number"}, {"name": "b", "dtype": "number"}]
    pair[1].input_schema = [
        {"name": "a", "dtype": "number"},
        {"name": "b", "dtype": "string"},
        {"name": "c", "dtype": "string"},
    ]
    shown = schema(pair)
    assert shown.note == "added: c; retyped: b (number to string)"
    assert [row[1:3] for row in shown.rows] == [("number", "string"), ("–", "string"), ("number", "number")]


def test_two_versions_are_chosen_in_the_list(console: Client, console_site: dict[int, ModelVersion]) -> None:
    def choose(*chosen: int) -> Any:
        keys = [console_site[at].pk for at in chosen]
        form = {"action": "compare_chosen", "_selected_action": keys}
        return console.post(reverse("admin:models_store_modelversion_changelist"), form)

    address = choose(2, 1)["Location"]
    assert address == f"{reverse(ADDRESS)}?first={console_site[1].pk}&second={console_site[2].pk}"
    assert console.get(address).status_code == 200
    refused = " ".join(map(str, get_messages(choose(1, 2, 3).wsgi_request)))
    assert "Choose two versions of one model to compare, got 3." in refused


def test_pages_of_model_and_version_lead_there(console: Client, console_site: dict[int, ModelVersion]) -> None:
    model = console.get(reverse("admin:models_store_registeredmodel_change", args=[console_site[1].model_id]))
    assert f"{reverse(ADDRESS)}?first={console_site[2].pk}&amp;second={console_site[1].pk}" in model.content.decode()
    link = reverse("admin:models_store_modelversion_compare", args=[console_site[3].pk])
    assert console.get(link)["Location"].endswith(f"?first={console_site[3].pk}&second={console_site[1].pk}")


@pytest.mark.parametrize(("first", "second"), [("x", "1"), ("", ""), ("9" * 40, "1"), ("1", "-1")])
def test_what_is_no_pair_of_versions_is_not_found(
    console: Client, console_site: dict[int, ModelVersion], first: str, second: str
) -> None:
    assert beside(console, first, second).status_code == 404


def test_person_without_a_role_sees_no_comparison(client: Client, django_user_model: Any, db: None) -> None:
    client.force_login(django_user_model.objects.create_user("eve", is_staff=True))
    assert beside(client, 1, 2).status_code == 403
