"""Each day is in exactly one calendar period, and no period is longer than Harvest's reports may be."""

from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from source_harvest.stream_types import report_periods
from source_harvest.stream_types.report_periods import WEEK_DAYS, Calendar, local_day

DAY = timedelta(days=1)
ZONES = orjson.loads((Path(report_periods.__file__).parent / "time_zones.json").read_bytes())

days = st.dates(date(1990, 1, 1), date(2200, 12, 31))
calendars = st.sampled_from(
    [*(Calendar(kind) for kind in ("day", "month", "year")), *(Calendar("week", day) for day in WEEK_DAYS)]
)


@given(calendars, days)
def test_a_period_holds_its_days_and_no_other_period_does(calendar: Calendar, day: date) -> None:
    first, last = calendar.period_of(day)
    assert first <= day <= last
    assert calendar.period_of(first) == calendar.period_of(last) == (first, last)
    assert calendar.period_of(first - DAY).last == first - DAY
    assert calendar.period_of(last + DAY).first == last + DAY


@given(calendars, days)
@example(Calendar("year"), date(2024, 2, 29))
@example(Calendar("year"), date(2000, 12, 31))
def test_no_period_is_longer_than_365_days(calendar: Calendar, day: date) -> None:
    first, last = calendar.period_of(day)
    assert 1 <= (last - first).days + 1 <= 365


@given(calendars, days, st.integers(0, 3000))
def test_the_periods_between_two_days_follow_each_other_without_a_gap(
    calendar: Calendar, first: date, length: int
) -> None:
    last = first + length * DAY
    found = list(calendar.periods(first, last))
    assert found[0].first <= first <= found[0].last
    assert found[-1].first <= last <= found[-1].last
    assert all(later.first == earlier.last + DAY for earlier, later in pairwise(found))


@given(calendars, days)
def test_there_are_no_periods_before_they_begin(calendar: Calendar, day: date) -> None:
    assert list(calendar.periods(day + DAY, day)) == []


@pytest.mark.parametrize(
    ("kind", "day", "first", "last"),
    [
        ("day", "2024-02-29", "2024-02-29", "2024-02-29"),
        ("month", "2024-02-01", "2024-02-01", "2024-02-29"),
        ("month", "2023-02-28", "2023-02-01", "2023-02-28"),
        ("month", "2100-02-28", "2100-02-01", "2100-02-28"),
        ("month", "2025-12-31", "2025-12-01", "2025-12-31"),
        ("year", "2025-07-01", "2025-01-01", "2025-12-31"),
        ("year", "2024-06-30", "2024-01-01", "2024-06-30"),
        ("year", "2024-07-01", "2024-07-01", "2024-12-31"),
        ("year", "2000-01-01", "2000-01-01", "2000-06-30"),
        ("year", "1900-07-01", "1900-01-01", "1900-12-31"),
    ],
)
def test_periods_are_those_of_the_calendar(kind: str, day: str, first: str, last: str) -> None:
    assert Calendar(kind).period_of(date.fromisoformat(day)) == (date.fromisoformat(first), date.fromisoformat(last))


@given(st.sampled_from(WEEK_DAYS), days)
def test_a_week_is_seven_days_and_begins_on_its_day(week_start: str, day: date) -> None:
    first, last = Calendar("week", week_start).period_of(day)
    assert (f"{first:%A}", last - first) == (week_start, 6 * DAY)


def test_only_the_weeks_of_another_day_are_told_apart_from_other_weeks() -> None:
    assert len({str(Calendar("week", day)) for day in WEEK_DAYS}) == 7
    assert str(Calendar("month", "Monday")) == str(Calendar("month", "Sunday")) == "month"


def test_each_name_of_harvests_leads_to_a_zone_that_there_is() -> None:
    assert set(ZONES.values()) <= available_timezones()


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("Berlin", "2026-03-01T22:59:59Z", "2026-03-01"),
        ("Berlin", "2026-03-01T23:00:00Z", "2026-03-02"),
        ("Berlin", "2026-07-01T22:00:00Z", "2026-07-02"),
        ("Eastern Time (US & Canada)", "2026-03-02T04:59:59Z", "2026-03-01"),
        ("Eastern Time (US & Canada)", "2026-03-02T05:00:00Z", "2026-03-02"),
        ("Kathmandu", "2026-03-01T18:15:00Z", "2026-03-02"),
        ("Auckland", "2026-01-01T11:00:00Z", "2026-01-02"),
        ("International Date Line West", "2026-03-02T11:59:59Z", "2026-03-01"),
        ("Europe/Berlin", "2026-03-01T23:00:00Z", "2026-03-02"),
    ],
)
def test_a_day_begins_at_midnight_in_the_users_time_zone(zone: str, moment: str, day: str) -> None:
    assert local_day(datetime.fromisoformat(moment.replace("Z", "+00:00")), zone) == date.fromisoformat(day)


@pytest.mark.parametrize("zone", [None, "", "Atlantis", "../etc/passwd", 5])
def test_in_an_unknown_time_zone_days_are_those_of_utc(
    zone: str | None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_periods, "_zone", report_periods._zone.__wrapped__)
    moments = [datetime(2026, 3, day, hour, tzinfo=timezone.utc) for day, hour in ((1, 23), (2, 0))]
    assert [local_day(moment, zone).day for moment in moments] == [1, 2]
    assert f"The user's time zone {zone!r} is unknown" in caplog.text


@given(st.sampled_from(sorted(ZONES)), st.datetimes(datetime(2000, 1, 1), datetime(2035, 1, 1)))  # noqa: DTZ001
def test_harvests_name_and_the_zones_own_name_mean_the_same_day(name: str, moment: datetime) -> None:
    at = moment.replace(tzinfo=timezone.utc)
    assert local_day(at, name) == local_day(at, ZONES[name]) == at.astimezone(ZoneInfo(ZONES[name])).date()
