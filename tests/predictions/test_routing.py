"""The split is stable, near its percent, and only grows."""

from predictions.core.routing import goes_to_canary

KEY = b"k" * 32
UNITS = [f"unit-{number}" for number in range(4000)]


def taken(percent: int, model: str = "m", key: bytes = KEY) -> set[str]:
    return {unit for unit in UNITS if goes_to_canary(unit, model=model, key=key, percent=percent)}


def test_the_share_is_near_the_percent() -> None:
    assert 0.08 < len(taken(10)) / len(UNITS) < 0.12
    assert taken(0) == set()
    assert taken(100) == set(UNITS)


def test_a_larger_percent_keeps_everybody() -> None:
    assert taken(10) < taken(30)


def test_another_key_or_model_splits_otherwise() -> None:
    assert taken(50) != taken(50, key=b"x" * 32)
    assert taken(50) != taken(50, model="n")


def test_half_a_surrogate_has_a_bucket_too() -> None:
    assert goes_to_canary("\ud800", model="m", key=KEY, percent=100)
