"""Whatever a caller puts into its headers is somebody known, nobody, or a plain word; never an error of ours."""

import json
import re
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from django.conf import settings as site
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import AuthenticationFailed

from features.ground.request_ids import request_id, trace_of
from predictions.core.api_key import BEGINNING, split_key
from predictions.tokens import verify_token

pytestmark = pytest.mark.django_db
MANY = settings(max_examples=100, deadline=None)
texts = st.text(max_size=80) | st.from_regex(r"[\w-]{0,20}(\.[\w-]{0,20}){0,4}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.just(10**400) | st.just("admin") | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
claims = st.dictionaries(
    st.sampled_from(["exp", "iat", "nbf", "iss", "aud", "jti", "sub", "user_id", "roles", "token_type"]), values
)


def part(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def is_refused(token: str) -> bool:
    try:
        found = verify_token(token)
    except AuthenticationFailed:
        return True
    assert found.roles
    assert set(found.roles) <= {"admin"}
    assert found.name.startswith("service:")
    return False


@MANY
@given(texts)
def test_any_text_is_no_token(text: str) -> None:
    assert is_refused(text)
    assert is_refused(BEGINNING + text)
    found = split_key(BEGINNING + text)
    assert found is None or (found.prefix and found.secret)


@MANY
@given(values, values, st.binary(max_size=40))
def test_any_parts_are_no_token(header: Any, payload: Any, signature: bytes) -> None:
    end = urlsafe_b64encode(signature).decode()
    assert is_refused(f"{part(header)}.{part(payload)}.{end}")
    assert is_refused(f"{part({'alg': 'HS256', 'kid': header, 'crit': payload})}.{part(payload)}.{end}")


@MANY
@given(claims)
def test_any_claims_with_our_signature_speak_for_a_service_or_nobody(said: dict[str, Any]) -> None:
    head, body = part({"alg": "HS256", "typ": "JWT"}), part(said)
    algorithm = jwt.get_algorithm_by_name("HS256")
    signature = algorithm.sign(f"{head}.{body}".encode(), algorithm.prepare_key(site.JWT_SECRET))
    is_refused(f"{head}.{body}.{urlsafe_b64encode(signature).decode().rstrip('=')}")


@pytest.mark.parametrize("claim", [{"exp": 10**400}, {"user_id": float("inf")}, {"user_id": 10**400}])
def test_a_number_beyond_every_range_is_no_claim(claim: dict[str, Any]) -> None:
    assert is_refused(jwt.encode({"roles": ["admin"], **claim}, site.JWT_SECRET))


@MANY
@given(texts | st.from_regex(r"\A[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.{0,5}\Z"))
def test_any_trace_is_two_numbers_or_none(given: str) -> None:
    found = trace_of(given)
    assert set(found) in (set(), {"trace_id", "parent_id"})
    assert all(re.fullmatch("[0-9a-f]{16,32}", text) and set(text) != {"0"} for text in found.values())


@MANY
@given(texts)
def test_any_request_id_is_a_plain_word(given: str) -> None:
    assert re.fullmatch(r"[\w.:-]{1,64}", request_id(given), re.ASCII)
