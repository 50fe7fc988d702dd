"""Spans of days: how the first read of a large list is cut into pieces that are read side by side.

A span states both its ends, and both belong to it; an end of None is open, so that no day is too early or too late.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

DAY = timedelta(days=1)

# A span is cut while it has more pages than this, or than a share of the whole list that keeps all workers busy.
PAGES_PER_SPAN = 8
SPANS_PER_LIST = 16


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


@dataclass(frozen=True)
class ListSlice:
    """What one thread reads of a list: some days of it, or what changed since a moment."""

    span: DateRange = ALL_DAYS
    changed_since: str | None = None
    as_one: bool = False
    """Whether it is read page by page and never cut."""


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


def cut(span: DateRange, days: list[date], pages_left: int) -> tuple[DateRange | None, list[DateRange]]:
    """What of a span its first page holds for certain, and the rest in two parts; no parts where that cannot be told.

    `days` are those of that page's rows, newest first: how densely they lie says where the middle of the rest will be.
    """
    newest, oldest = days[0], days[-1]
    length = timedelta(days=math.ceil(((newest - oldest).days + 1) * pages_left / 2))
    earliest = span.first or date.min
    middle = oldest - length if oldest - earliest > length else earliest + (oldest - earliest) / 2
    done, rest = (None, span) if newest == oldest else (span.since(oldest + DAY), DateRange(span.first, oldest))
    if earliest < middle:
        return done, [rest.since(middle), rest.before(middle)]
    return done, [rest] if done else []
