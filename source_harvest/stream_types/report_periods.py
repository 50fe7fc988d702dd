"""Calendar periods for reports. They never overlap, so that rows can be summed."""

from __future__ import annotations

import calendar
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from source_harvest.state.date_range import DAY

logger = logging.getLogger("airbyte")

WEEK_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Period(NamedTuple):
    """The days [first, last]."""

    first: date
    last: date


@dataclass(frozen=True)
class Calendar:
    """All days, divided into periods of one kind."""

    kind: str
    """day, week, month or year."""
    week_start: str = WEEK_DAYS[0]
    """The first day of a week: the company's `week_start_day`."""

    def __str__(self) -> str:
        return f"{self.kind} from {self.week_start}" if self.kind == "week" else self.kind

    def period_of(self, day: date) -> Period:
        """The period that contains a day."""
        if self.kind == "day":
            return Period(day, day)
        if self.kind == "week":
            before = (day.weekday() - WEEK_DAYS.index(self.week_start)) % 7
            first = day - timedelta(days=min(before, (day - date.min).days))  # the week of `date.min` may be shorter
            return Period(first, day + timedelta(days=6 - before))
        # A report takes at most 365 days, so a leap year is read in two halves.
        months = 1 if self.kind == "month" else 6 if calendar.isleap(day.year) else 12
        first_month = day.month - (day.month - 1) % months
        last_month = first_month + months - 1
        last_day = calendar.monthrange(day.year, last_month)[1]
        return Period(date(day.year, first_month, 1), date(day.year, last_month, last_day))

    def periods(self, first: date, last: date) -> Iterator[Period]:
        """The periods that contain the days [first, last], in order."""
        while first <= last:
            period = self.period_of(first)
            yield period
            first = period.last + DAY


def local_day(moment: datetime, zone_name: str | None) -> date:
    """The day at a moment in a time zone, by Harvest's name for it; in UTC if the name is unknown."""
    return moment.astimezone(_zone(zone_name)).date()


@cache
def _zone(name: str | None) -> ZoneInfo | timezone:
    names = orjson.loads((Path(__file__).parent / "time_zones.json").read_bytes())
    try:
        return ZoneInfo(names.get(name, name))
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        logger.warning("The user's time zone %r is unknown, so days are those of UTC", name)
        return timezone.utc
