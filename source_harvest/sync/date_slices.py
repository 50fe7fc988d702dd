"""The slices of a list: cuts the first read of a long list into date ranges, which are read in parallel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from queue import Empty, SimpleQueue
from threading import Lock

from source_harvest.api.pages import Page
from source_harvest.api.timestamps import Row
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

    def parts(self, page: Page, column: str, announced: int | None) -> tuple[DateRange | None, list[DateRange]]:
        """As `cut`, after its first page, whose dates are in `column`. `announced`: the entries of the whole list.

        Also (None, []) if the slice is short or not sorted newest first.
        """
        entries = page.entries or 0
        if self.changed_since or self.as_one or not (column and entries and page.rows):
            return None, []
        share = (announced or 0) / len(page.rows) / SLICES_PER_LIST
        pages_left = math.ceil(entries / len(page.rows)) - 1
        days = [day for row in page.rows if (day := day_of(row, column)) and self.date_range.covers(day, day)]
        # Harvest does not document the order of its lists; it was observed (B50 in docs/harvest-behaviour.md).
        is_newest_first = len(days) == len(page.rows) and all(newer >= older for newer, older in pairwise(days))
        if pages_left < max(PAGES_PER_SLICE, share) or not is_newest_first:
            return None, []
        return cut(self.date_range, days, pages_left)


class SliceQueue:
    """The slices of one list that wait for a thread to read them."""

    def __init__(self, check: Callable[[], None]) -> None:
        """`check` raises an error once the sync was aborted."""
        self._check = check
        self._lock = Lock()
        self._queue: SimpleQueue[ListSlice | None] = SimpleQueue()
        self._open = 0

    def add(self, slices: Iterable[ListSlice]) -> None:
        """Adds slices: first ones, or more while a slice is open."""
        for list_slice in slices:
            with self._lock:
                self._open += 1
            self._queue.put(list_slice)

    def __iter__(self) -> Iterator[ListSlice]:
        """Yields slices as they are added, and ends when all are closed."""
        while True:
            try:
                list_slice = self._queue.get(timeout=1)
            except Empty:
                self._check()
                continue
            if list_slice is None:
                return
            yield list_slice

    def close(self, final: Callable[[], ListSlice | None]) -> bool:
        """Counts a slice as read, and returns whether all are. After the last one, `final` may name one more slice."""
        with self._lock:
            self._open -= 1
            if self._open:
                return False
            last = final()
            self._open = 1 if last else 0
        self._queue.put(last)
        return last is None


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


def day_of(row: Row, column: str) -> date | None:
    """The date in a column of a row, if any."""
    with suppress(ValueError, TypeError):
        return date.fromisoformat(row.get(column, ""))
    return None
