from datetime import UTC, datetime, timedelta, timezone

import pytest

from features.ground.canonical import canonical_json, digest


def test_equal_values_have_equal_bytes():
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
    noon = datetime(2013, 1, 1, 12, tzinfo=UTC)
    assert digest(noon) == digest(noon.astimezone(timezone(timedelta(hours=5))))


def test_what_has_no_form_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))
    with pytest.raises(TypeError, match="no canonical form for set"):
        canonical_json({1})
