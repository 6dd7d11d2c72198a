from features.ground.errors import DomainError, bounded


def test_texts_are_bounded():
    assert bounded("x" * 500) == "x" * 119 + "…"
    assert bounded([1, 2]) == "[1, 2]"
    assert len(DomainError("x" * 5000).message) == 600


def test_an_error_is_one_json_object():
    assert DomainError("no").as_dict() == {"error": "no", "code": "error"}
    assert DomainError("no", column="a").as_dict()["fields"] == {"column": "a"}
