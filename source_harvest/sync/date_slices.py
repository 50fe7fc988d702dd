"""How the first read of a long list is cut into date ranges, which are read side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

from source_harvest.state.date_range import ALL_DAYS, DAY, DateRange

# A span is cut while it has more pages than this, or than a share of the whole list that keeps all workers busy.
PAGES_PER_SPAN = 8
SPANS_PER_LIST = 16


@dataclass(frozen=True)
class ListSlice:
    """What one thread reads of a list: some days of it, or what changed since a moment."""

    span: DateRange = ALL_DAYS
    changed_since: str | None = None
    as_one: bool = False
    """Whether it is read page by page and never cut."""


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
