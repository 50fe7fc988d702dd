"""Cuts the first read of a long list into date ranges, which are read in parallel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

from source_harvest.state.date_range import ALL_DAYS, DAY, DateRange

# A slice is cut while at least this many pages and this share of the list are left: enough to keep all workers busy.
PAGES_PER_SLICE = 8
SLICES_PER_LIST = 16


@dataclass(frozen=True)
class ListSlice:
    """The part of a list that one thread reads: a date range, or the entries changed since a time."""

    date_range: DateRange = ALL_DAYS
    changed_since: str | None = None
    as_one: bool = False
    """Read page by page, never cut."""


def cut(date_range: DateRange, days: list[date], pages_left: int) -> tuple[DateRange | None, list[DateRange]]:
    """Cuts a date range after its first page: the days which that page holds completely, and one or two ranges of rest.

    `days` are the dates of that page's rows, newest first. Their density and `pages_left` locate the middle of the
    rest. Returns (None, []) if the range cannot be cut.
    """
    newest, oldest = days[0], days[-1]
    length = timedelta(days=math.ceil(((newest - oldest).days + 1) * pages_left / 2))
    earliest = date_range.first or date.min
    middle = oldest - length if oldest - earliest > length else earliest + (oldest - earliest) / 2
    done, rest = (
        (None, date_range)
        if newest == oldest
        else (date_range.since(oldest + DAY), DateRange(date_range.first, oldest))
    )
    if earliest < middle:
        return done, [rest.since(middle), rest.before(middle)]
    return done, [rest] if done else []
