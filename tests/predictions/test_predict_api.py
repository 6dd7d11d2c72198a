"""POST /api/v1/predict through the view: what it answers, and how it refuses."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import jwt
import pytest
from django.conf import settings
from django.test import Client

from models_store.actions.promote import promote
from predictions import engine
from predictions.models import Prediction
from tests.predictions.conftest import Configure
from tests.predictions.tiny import RECORD, ROW, register, staged

Token = Callable[..., str]


def post(token: str = "", body: Any = None, path: str = "/api/v1/predict", **headers: str) -> Any:
    content = body if isinstance(body, bytes) else b'{"data": [[4.0, 1.5, "red"]]}'
    auth = {"Authorization": f"Bearer {token}"} if token else {}
    return Client().post(path, content, content_type="application/json", headers={**auth, **headers})


def error_of(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.content
    body = response.json()
    assert body["request_id"] == response["X-Request-ID"]
    return dict(body)


def test_an_answer_has_the_contracts_shape_and_headers(token: Token) -> None:
    staged()
    response = post(token(), **{"X-Request-ID": "mine-1"})
    assert response.status_code == 200
    body = response.json()
    assert list(body) == ["predictions", "probabilities", "model", "prediction_id", "timestamp"]
    assert body["predictions"][0] in ("big", "small")
    assert abs(sum(body["probabilities"][0]) - 1) < 1e-6
    assert body["model"] == {"name": "tiny", "version": 1, "role": "production"}
    assert UUID(body["prediction_id"])
    assert body["timestamp"].endswith("Z")
    assert response["X-Request-ID"] == "mine-1"
    assert response["X-RateLimit-Limit"] == "100"
    assert response["X-RateLimit-Remaining"] == "99"
    assert int(response["X-RateLimit-Reset"]) > time.time()


def test_rows_records_and_every_path_give_the_same_answer(token: Token) -> None:
    staged()
    bearer = token()
    answers = [
        post(bearer, b'{"data": [[4.0, 1.5, "red"]]}'),
        post(bearer, b'{"records": [{"colour": "red", "width": 1.5, "length": 4.0}]}'),
        post(bearer, path="/api/v1/models/tiny/predict"),
        post(bearer, path="/api/v1/models/tiny/versions/1/predict"),
    ]
    assert len({str(answer.json()["probabilities"]) for answer in answers}) == 1
    assert [answer.json()["model"]["role"] for answer in answers] == ["production"] * 3 + ["pinned"]


def test_a_regression_answers_without_probabilities(token: Token) -> None:
    staged(name="length", regression=True)
    body = post(token()).json()
    assert "probabilities" not in body
    assert isinstance(body["predictions"][0], float)


def test_a_version_by_number_answers_though_another_is_in_production(token: Token) -> None:
    staged()
    register(seed=1)
    body = post(token(), path="/api/v1/models/tiny/versions/2/predict").json()
    assert body["model"] == {"name": "tiny", "version": 2, "role": "pinned"}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"data": [[1, 2]]}', "row 0 has 2 values; the model takes 3: length, width, colour"),
        (b'{"data": [["abc", 1, "red"]]}', "row 0, column length: must be a number; got abc"),
        (b'{"data": [[NaN, 1, "red"]]}', "row 0, column length: must not be missing; got nan"),
        (b'{"data": [[1e999, 1, "red"]]}', "number 1e999 is out of range of a double"),
        (b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "lists and objects nest too deep: at most 32 levels"),
        (b'{"data": [["\\ud800", 1, "red"]]}', "half of a surrogate pair"),
        (b'{"records": [{"length": 1}]}', "row 0 lacks width, colour"),
        (b"", "the body is empty"),
        (b"no json", "the body is not JSON"),
    ],
)
def test_invalid_data_is_400_and_says_what_is_wrong(token: Token, body: bytes, detail: str) -> None:
    staged()
    error = error_of(post(token(), body), 400)
    assert error["error"] == "Invalid request data"
    assert error["code"] == "invalid_request_data"
    assert detail in error["fields"]["detail"]


def test_nan_is_left_to_the_imputer_or_replaced_by_policy(token: Token, configure: Configure) -> None:
    staged()
    bearer = token()
    assert post(bearer, b'{"data": [[1, NaN, "red"]]}').status_code == 200
    configure(nan_replacement=4.0)
    engine.stop()
    replaced = post(bearer, b'{"data": [[null, NaN, "red"]]}')
    assert replaced.json()["probabilities"] == post(bearer, b'{"data": [[4, 4, "red"]]}').json()["probabilities"]


def test_a_body_of_two_megabytes_is_413(token: Token) -> None:
    staged()
    error = error_of(post(token(), b'{"data": [[' + b"1," * 1_000_000 + b"1]]}"), 413)
    assert error["code"] == "too_large"


def test_more_rows_than_allowed_are_413(token: Token, configure: Configure) -> None:
    configure(security__max_rows=2)
    staged()
    error = error_of(post(token(), b'{"data": [' + b'[1,1,"red"],' * 2 + b'[1,1,"red"]]}'), 413)
    assert error["code"] == "too_many_rows"


def test_another_content_type_is_415(token: Token) -> None:
    staged()
    response = Client().post(
        "/api/v1/predict", b"{}", content_type="text/plain", headers={"Authorization": f"Bearer {token()}"}
    )
    assert response.status_code == 415


def test_no_token_is_401(serving: None) -> None:
    error = error_of(post(), 401)
    assert error["error"] == "Authorization token required"


def test_a_token_that_is_expired_or_foreign_is_401(token: Token) -> None:
    staged()
    claims = jwt.decode(token(), settings.JWT_SECRET, algorithms=["HS256"], options={"verify_aud": False})
    expired = jwt.encode(claims | {"exp": time.time() - 1}, settings.JWT_SECRET, algorithm="HS256")
    foreign = jwt.encode(claims, "another secret that is long enough for the algorithm", algorithm="HS256")
    for bad in (expired, foreign, "nonsense"):
        assert error_of(post(bad), 401)["error"] == "Invalid token"


def test_a_token_of_a_user_who_is_gone_is_401(token: Token, django_user_model: Any) -> None:
    staged()
    bearer = token()
    django_user_model.objects.all().update(is_active=False)
    assert error_of(post(bearer), 401)["error"] == "Invalid token"


def test_a_role_that_may_not_predict_is_403(token: Token) -> None:
    staged()
    assert error_of(post(token("readonly")), 403)["code"] == "permission_denied"


def test_no_production_model_is_503_with_retry_after(token: Token) -> None:
    register()
    for path in ("/api/v1/predict", "/api/v1/models/tiny/predict"):
        response = post(token(), path=path)
        assert error_of(response, 503)["code"] == "model_not_ready"
        assert int(response["Retry-After"]) >= 1


def test_an_unknown_model_or_version_is_404(token: Token) -> None:
    staged()
    assert "no model is named nope" in error_of(post(token(), path="/api/v1/models/nope/predict"), 404)["error"]
    assert (
        "tiny has no version 9" in error_of(post(token(), path="/api/v1/models/tiny/versions/9/predict"), 404)["error"]
    )
    huge = "9" * 40
    assert post(token(), path=f"/api/v1/models/tiny/versions/{huge}/predict").status_code == 404


def test_several_models_must_be_named_unless_one_is_the_default(token: Token, configure: Configure) -> None:
    staged()
    staged(name="other", seed=1)
    assert "name one of other, tiny" in error_of(post(token()), 422)["error"]
    configure(model__default="other")
    engine.stop()
    assert post(token()).json()["model"]["name"] == "other"


def test_over_the_limit_is_429_with_retry_after(token: Token, configure: Configure) -> None:
    configure(rate_limit="3/hour")
    staged()
    bearer = token()
    assert [post(bearer).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    response = post(bearer)
    assert error_of(response, 429)["code"] == "rate_limited"
    assert 0 < int(response["Retry-After"]) <= 3600
    assert response["X-RateLimit-Remaining"] == "0"
    assert post(token(name="bob")).status_code == 200


def test_limits_that_are_off_are_not_shown(token: Token, configure: Configure) -> None:
    configure(rate_limit="off")
    staged()
    assert "X-RateLimit-Limit" not in post(token())


def test_entities_are_422_where_the_model_has_no_views(token: Token) -> None:
    staged()
    assert error_of(post(token(), b'{"entities": ["N1"]}'), 422)["code"] == "entities_not_served"


def test_the_served_version_follows_a_promotion(token: Token) -> None:
    staged()
    bearer = token()
    before = post(bearer).json()
    second = register(seed=2)
    promote(f"tiny@{second.number}", target_stage="production", reason="better", actor="cli:test")
    engine.refresh()
    after = post(bearer).json()
    assert (before["model"]["version"], after["model"]["version"]) == (1, 2)
    assert before["probabilities"] != after["probabilities"]


def test_a_prediction_can_be_read_with_its_outcomes(token: Token) -> None:
    staged()
    bearer = token()
    key = post(bearer).json()["prediction_id"]
    sent = post(bearer, f'{{"prediction_id": "{key}", "actual": "small"}}'.encode(), path="/api/v1/feedback")
    assert sent.json() == {"recorded": 1}
    found = Client().get(f"/api/v1/predictions/{key}", headers={"Authorization": f"Bearer {token('readonly', 'rob')}"})
    body = found.json()
    assert body["inputs"] == [ROW]
    assert body["columns"] == list(RECORD)
    assert body["principal"] == "user:alice"
    assert [outcome["actual"] for outcome in body["outcomes"]] == ["small"]
    assert Prediction.objects.get().role == "production"


def test_an_unknown_prediction_is_404(token: Token) -> None:
    path = "/api/v1/predictions/00000000-0000-4000-8000-000000000000"
    response = Client().get(path, headers={"Authorization": f"Bearer {token('readonly')}"})
    assert error_of(response, 404)["code"] == "unknown_prediction"


def test_rows_are_limited_however_they_come(token: Token, configure: Configure) -> None:
    configure(row_rate_limit="3/hour")
    staged()
    assert post(token(), b'{"data": [[4.0, 1.5, "red"], [4.5, 1.5, "red"]]}').status_code == 200
    response = post(token(), b'{"data": [[4.0, 1.5, "red"], [4.5, 1.5, "red"]]}')
    assert error_of(response, 429)["code"] == "row_limit"
    assert 1 <= int(response["Retry-After"]) <= 3600
