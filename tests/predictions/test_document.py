"""The API's document names every route of serving with its answers, and its page loads nothing from elsewhere."""

import re

import pytest
import yaml
from django.test import Client


def test_the_document_describes_every_route_and_error() -> None:
    document = yaml.safe_load(Client().get("/api/v1/schema").content)
    predict = document["paths"]["/api/v1/predict"]["post"]
    assert {"200", "400", "401", "403", "404", "413", "415", "422", "429", "503"} <= predict["responses"].keys()
    assert predict["security"] == [{"bearer": []}]
    for path in ("token", "token/refresh", "token/revoke", "feedback", "models/{name}/predict"):
        assert f"/api/v1/{path}" in document["paths"]
    assert document["paths"]["/api/v1/token"]["post"].get("security", []) in ([], [{}])


@pytest.mark.parametrize("path", ["/apidocs/", "/apidocs/?script="])
def test_the_page_of_the_document_keeps_to_itself(path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 200
    assert re.findall(rb"(?:src|href)=\"(?:https?:)?//", response.content) == []
    policy = response["Content-Security-Policy"]
    assert "script-src 'self';" in policy + ";"
    assert "unsafe-eval" not in policy
    assert not re.search(rb"<script>[^<]", response.content)
