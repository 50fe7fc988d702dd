"""Date ranges, both ends included; an end of None is open.

The first read of a long list is split into date ranges that are read in parallel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class DateRange:
    """The days [first, last]."""

    first: date | None = None
    last: date | None = None

    @classmethod
    def of(cls, ends: Any) -> DateRange:
        """Parses the JSON form, ["2024-01-01", null]. Raises `ValueError` or `TypeError`."""
        first, last = ends
        return cls(*(None if end is None else date.fromisoformat(end) for end in (first, last)))

    @property
    def ends(self) -> list[str | None]:
        """The JSON form, ["2024-01-01", null]."""
        return [end.isoformat() if end else None for end in (self.first, self.last)]

    @property
    def params(self) -> dict[str, str]:
        """Harvest's query filters, `from` and `to`; none for an open end."""
        return {name: end for name, end in zip(("from", "to"), self.ends, strict=True) if end}

    def covers(self, first: date, last: date) -> bool:
        """Whether it contains all the days [first, last]."""
        return (self.first or date.min) <= first and last <= (self.last or date.max)

    def before(self, day: date) -> DateRange:
        """Its days before `day`."""
        return DateRange(self.first, day - DAY)

    def since(self, day: date) -> DateRange:
        """Its days from `day` on."""
        return DateRange(day, self.last)


ALL_DAYS = DateRange()


def missing(ranges: Iterable[DateRange]) -> list[DateRange]:
    """The days that are in none of the ranges, as sorted ranges."""
    gaps: list[DateRange] = []
    rest = ALL_DAYS
    for days in sorted(ranges, key=lambda days: days.first or date.min):
        if days.first and (rest.first or date.min) < days.first:
            gaps.append(rest.before(days.first))
        if days.last in {None, date.max}:
            return gaps
        if days.last and days.last >= (rest.first or date.min):
            rest = DateRange(days.last + DAY)
    return [*gaps, rest]


def merged(ranges: Iterable[DateRange]) -> list[DateRange]:
    """The same days in as few ranges as possible, sorted."""
    return missing(missing(ranges))


def common(*lists: Iterable[DateRange]) -> list[DateRange]:
    """The days that are in every one of the lists of ranges."""
    return missing(gap for ranges in lists for gap in missing(ranges))
