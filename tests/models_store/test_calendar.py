"""When a policy lets what serves change."""

from datetime import UTC, date, datetime

import pytest

from models_store.core.calendar import Calendar
from models_store.core.calendar_form import calendar_as_dict, parse_calendar
from models_store.core.policy import parse_policy
from models_store.errors import OutsideWindowError, PolicyError, PromotionFrozenError

OFFICE = [{"days": ["mon", "tue", "wed", "thu"], "from": "09:00", "to": "16:00"}]
HOLIDAYS = [{"from": "2026-12-20", "to": "2027-01-04", "reason": "holidays"}]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def calendar(windows=(), freezes=(), timezone="UTC") -> Calendar:
    return parse_calendar(windows, freezes, timezone)


def test_no_calendar_is_always_open():
    assert calendar().is_open(at("2026-12-24T03:00"))
    assert calendar().next_open(at("2026-12-24T03:00")) == at("2026-12-24T03:00")


@pytest.mark.parametrize(
    ("when", "is_open", "opens"),
    [
        ("2026-11-25T09:00", True, "2026-11-25T09:00"),  # a Wednesday
        ("2026-11-25T15:59:59", True, "2026-11-25T15:59:59"),
        ("2026-11-25T16:00", False, "2026-11-26T09:00"),
        ("2026-11-25T08:59:59", False, "2026-11-25T09:00"),
        ("2026-11-27T12:00", False, "2026-11-30T09:00"),
    ],
)
def test_window_holds_its_beginning_and_not_its_end(when, is_open, opens):
    assert calendar(OFFICE).is_open(at(when)) is is_open
    assert calendar(OFFICE).next_open(at(when)) == at(opens)


def test_window_is_meant_in_its_zone_in_summer_and_winter():
    berlin = calendar(OFFICE, timezone="Europe/Berlin")
    assert berlin.is_open(at("2026-07-01T07:00"))
    assert not berlin.is_open(at("2026-01-07T07:00"))
    # The clocks go back on Sunday, 25 October 2026.
    assert berlin.next_open(at("2026-10-22T20:00")) == at("2026-10-26T08:00")


def test_freeze_closes_whatever_the_windows_say():
    frozen = calendar(OFFICE, HOLIDAYS)
    assert not frozen.is_open(at("2026-12-21T10:00"))
    assert frozen.next_open(at("2026-12-21T10:00")) == at("2027-01-04T09:00")
    with pytest.raises(PromotionFrozenError, match=r"frozen until 2027-01-04 00:00 UTC \(holidays\)") as refusal:
        frozen.check(at("2026-12-21T10:00"))
    assert refusal.value.fields["reason"] == "holidays"


def test_closed_window_says_when_it_opens():
    with pytest.raises(OutsideWindowError, match="the next one opens at 2026-11-30 09:00 UTC"):
        calendar(OFFICE).check(at("2026-11-27T12:00"))


def test_freezes_that_never_end_in_a_window_leave_no_time():
    narrow = [{"days": ["mon"], "from": "09:00", "to": "10:00"}]
    always = [{"from": "2026-01-01", "to": "9990-01-01", "reason": "retired"}]
    assert calendar(narrow, always).next_open(at("2026-11-25T00:00")) == at("9990-01-01T09:00")
    with pytest.raises(PromotionFrozenError, match="retired"):
        calendar(narrow, always).check(at("2026-11-25T00:00"))


def test_calendar_reads_back_what_it_writes():
    yaml_dates = [{"from": date(2026, 12, 20), "to": datetime(2027, 1, 4, tzinfo=UTC), "reason": "holidays"}]
    first = calendar(OFFICE, yaml_dates, "Europe/Berlin")
    said = calendar_as_dict(first)
    assert calendar(said["windows"], said["freezes"], said["timezone"]) == first
    assert calendar_as_dict(calendar()) == {}
    assert parse_policy({"windows": OFFICE}, "classification").as_dict()["windows"] == OFFICE


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"timezone": "Mars/Base"}, "timezone must be a zone"),
        ({"timezone": "../../etc/passwd"}, "timezone must be a zone"),
        ({"windows": "always"}, "windows is a list"),
        ({"windows": [{"from": "09:00"}]}, "an entry of windows has days, from, to"),
        ({"windows": [{"from": "09:00", "to": 960}]}, 'times are "HH:MM", in quotes'),
        ({"windows": [{"from": "9:00", "to": "10:00"}]}, 'times are "HH:MM"'),
        ({"windows": [{"from": "09:00", "to": "24:01"}]}, 'times are "HH:MM"'),
        ({"windows": [{"from": "22:00", "to": "02:00"}]}, "begins before it ends"),
        ({"windows": [{"days": ["someday"], "from": "09:00", "to": "10:00"}]}, "days are some of mon"),
        ({"freezes": [{"from": "2026-12-20", "to": "2027-01-04"}]}, "a freeze has a reason"),
        ({"freezes": [{"from": "soon", "to": "later", "reason": "x"}]}, "ISO 8601"),
        ({"freezes": [{"from": "2027-01-04", "to": "2026-12-20", "reason": "x"}]}, "begins before it ends"),
        ({"freezes": [HOLIDAYS[0]] * 101}, "at most 100"),
        ({"request_expires_hours": 0}, "request_expires_hours must be a whole number from 1"),
        ({"request_expires_hours": True}, "request_expires_hours must be a whole number"),
        ({"separate_roles": "yes"}, "separate_roles must be true or false"),
        ({"quorum": 2}, "a policy's keys are"),
    ],
)
def test_policy_that_makes_no_sense_is_refused(policy, said):
    with pytest.raises(PolicyError, match=said):
        parse_policy(policy, "classification")
