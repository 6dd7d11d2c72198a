import json

import pytest
from rest_framework.test import APIRequestFactory, force_authenticate

from models_store import views
from models_store.actions.promote import promote
from predictions.tokens import Principal
from tests.models_store.made import GOOD, made


def get(view, path: str = "/", role: str | None = "readonly", **arguments):
    request = APIRequestFactory().get(path)
    if role:
        force_authenticate(request, user=Principal(name="ann", roles=(role,)))
    return view.as_view()(request, **arguments)


@pytest.mark.parametrize(
    ("view", "arguments"),
    [
        (views.ModelList, {}),
        (views.ModelDetail, {"name": "flights"}),
        (views.VersionList, {"name": "flights"}),
        (views.VersionDetail, {"name": "flights", "number": 1}),
    ],
)
def test_readers_are_let_in_and_nobody_else(store, view, arguments):
    made()
    assert get(view, **arguments).status_code == 200
    assert get(view, role=None, **arguments).status_code == 401
    assert get(view, role="stranger", **arguments).status_code == 403


def test_models_say_which_versions_serve(store):
    made()
    made()
    promote("flights@1", target_stage="production", reason="better", actor="user:ann")
    promote("flights@2", target_stage="canary", percent=20, reason="try", actor="user:ann")
    (found,) = get(views.ModelList).data["results"]
    assert (
        found.items() >= {"name": "flights", "production": 1, "canary": 2, "shadow": None, "canary_percent": 20}.items()
    )


def test_list_of_models_takes_two_queries_at_any_length(store, django_assert_num_queries):
    for name in "abcdef":
        made(name)
    with django_assert_num_queries(2):
        assert len(get(views.ModelList).data["results"]) == 6


def test_models_are_filtered_by_task(store):
    made()
    assert get(views.ModelList, "/?task=regression").data["results"] == []
    assert len(get(views.ModelList, "/?task=classification").data["results"]) == 1
    assert get(views.ModelList, "/?task=art").status_code == 400


def test_lists_come_in_pages(store, monkeypatch):
    for _ in range(3):
        made()
    monkeypatch.setattr(views.ByNumber, "page_size", 2)
    first = get(views.VersionList, name="flights")
    assert [row["version"] for row in first.data["results"]] == [3, 2]
    second = get(views.VersionList, first.data["next"], name="flights")
    assert [row["version"] for row in second.data["results"]] == [1]


def test_versions_are_filtered_by_stage(store):
    made()
    made()
    promote("flights@2", target_stage="shadow", reason="look", actor="user:ann")
    assert [row["version"] for row in get(views.VersionList, "/?stage=shadow", name="flights").data["results"]] == [2]
    assert get(views.VersionList, "/?stage=no", name="flights").status_code == 400


def test_model_holds_policy_and_versions(store):
    made()
    found = get(views.ModelDetail, name="flights").data
    assert found["policy"]["approvals"] == 0
    assert found["versions"][0]["metrics"] == GOOD["test"]


def test_version_holds_lineage_schema_and_signature(store):
    version = made()
    found = get(views.VersionDetail, name="flights", number=1).data
    assert found["lineage"]["code_version"] == "abc"
    assert found["schema"]["outputs"]["classes"] == [0, 1]
    assert found["signature"]["value"] == version.signature


@pytest.mark.parametrize(
    ("name", "number", "status"), [("delays", 1, 404), ("flights", 9, 404), ("<b>", 1, 400), ("a" * 200, 1, 400)]
)
def test_what_is_not_there_is_told_in_json(store, name, number, status):
    made()
    answer = get(views.VersionDetail, name=name, number=number)
    assert answer.status_code == status
    assert set(json.loads(answer.content)) >= {"error", "code"}
