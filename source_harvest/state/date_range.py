"""Spans of days: how the first read of a large list is cut into pieces that are read side by side.

A span states both its ends, and both belong to it; an end of None is open, so that no day is too early or too late.
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
        """From its JSON, ["2024-01-01", null].

        Raises `ValueError` or `TypeError`.
        """
        first, last = ends
        return cls(*(None if end is None else date.fromisoformat(end) for end in (first, last)))

    @property
    def ends(self) -> list[str | None]:
        """As JSON."""
        return [end.isoformat() if end else None for end in (self.first, self.last)]

    @property
    def params(self) -> dict[str, str]:
        """As Harvest's filters."""
        return {name: end for name, end in zip(("from", "to"), self.ends, strict=True) if end}

    def covers(self, first: date, last: date) -> bool:
        """Whether it has all the days [first, last]."""
        return (self.first or date.min) <= first and last <= (self.last or date.max)

    def before(self, day: date) -> DateRange:
        """The part of it before a day."""
        return DateRange(self.first, day - DAY)

    def since(self, day: date) -> DateRange:
        """The part of it from a day on."""
        return DateRange(day, self.last)


ALL_DAYS = DateRange()


def merged(spans: Iterable[DateRange]) -> list[DateRange]:
    """The same days in as few spans as possible, in their order."""
    found: list[DateRange] = []
    for span in sorted(spans, key=lambda span: span.first or date.min):
        previous = found[-1] if found else None
        if previous and (previous.last is None or (span.first or date.min) <= previous.last + DAY):
            last = None if None in (previous.last, span.last) else max(previous.last or date.min, span.last or date.min)
            found[-1] = DateRange(previous.first, last)
        else:
            found.append(span)
    return found


def missing(spans: Iterable[DateRange]) -> list[DateRange]:
    """The days of all time that are in none of the spans."""
    gaps: list[DateRange] = []
    rest: DateRange | None = DateRange()
    for span in merged(spans):
        if rest and span.first and (rest.first or date.min) < span.first:
            gaps.append(rest.before(span.first))
        rest = DateRange(span.last + DAY, None) if span.last and span.last < date.max else None
    return [*gaps, rest] if rest else gaps


def common(*spans: Iterable[DateRange]) -> list[DateRange]:
    """The days that are in each of several lists of spans."""
    return missing(gap for part in spans for gap in missing(part))
