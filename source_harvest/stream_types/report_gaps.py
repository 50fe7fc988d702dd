"""Gaps: days without entries in a list, for which no report need be requested."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import islice

from source_harvest.state.date_range import DateRange
from source_harvest.stream_types.report_periods import Calendar

# Harvest began in 2006. Earlier entries were imported or mistyped; those days are searched only if they have any.
USUALLY_FIRST = date(2006, 1, 1)

# Up to this many periods in a row are read without searching them for gaps.
NOT_SEARCHED = 36

# A gap is long if it has more periods than this, or takes two years.
PERIODS = 50
TWO_YEARS = timedelta(days=729)


def gaps(
    searched: DateRange, calendar: Calendar, count: Callable[[DateRange], int], *, is_likely: bool = False
) -> list[DateRange]:
    """The days of a date range before its first entry, and the long gaps after that.

    Date ranges begin and end with a period; the one that is searched may have an open start. `count` requests the
    number of entries in a date range. `is_likely`: probably there are none, so the whole range is counted first.
    """
    found = _Search(searched, calendar, count).gaps(is_likely=is_likely)
    # A count that did not grow may hide one entry added and one deleted, so each gap is counted by itself.
    return [gap for gap in found if gap.first == searched.first or not count(gap)]


def is_long(gap: DateRange, calendar: Calendar) -> bool:
    """Whether skipping a gap saves more than counting it again in each later sync costs."""
    return (gap.last or date.max) >= _long_until(gap.first or date.min, calendar)


def _long_until(first: date, calendar: Calendar) -> date:
    """The last day of the shortest long gap that begins on `first`."""
    last = first + TWO_YEARS
    after_many = next(islice(calendar.periods(first, last), PERIODS, None), None)
    return after_many.last if after_many else calendar.period_of(last).last


class _Search:
    """Counts the entries up to the ends of periods; where the count does not grow, there is a gap.

    Days are ordinals here, because there is no date before `date.min`.
    """

    def __init__(self, searched: DateRange, calendar: Calendar, count: Callable[[DateRange], int]) -> None:
        self._searched = searched
        self._calendar = calendar
        self._count = count
        self._begin = (searched.first or date.min).toordinal()
        self._end = (searched.last or date.max).toordinal()
        self._counts = {self._begin - 1: 0}

    def gaps(self, *, is_likely: bool) -> Iterator[DateRange]:
        """The gap before the first entry, if any, and then the long gaps, in order."""
        if is_likely:
            self._count_up_to(self._end)
        first, day = self._first_period()
        if first > self._begin:
            yield DateRange(self._searched.first, date.fromordinal(first - 1))
        while day < self._end:
            entries = self._counts[day]
            without, with_more = self._bounds(entries + 1)
            long_until = _long_until(date.fromordinal(day + 1), self._calendar).toordinal()
            if without >= long_until:
                before, (first, last) = self._period_of(entries)[1], self._period_of(entries + 1)
                yield DateRange(date.fromordinal(min(before, day) + 1), date.fromordinal(first - 1))
                day = last
            elif with_more > long_until and (without > day or self._is_single(day)):
                self._count_up_to(long_until)
            else:
                day = self._next_counted(day)

    def _first_period(self) -> tuple[int, int]:
        """The first and the last day of the first period with entries; the days after the end if there is none."""
        if self._searched.first:
            if self._counts.get(self._end) != 0:
                self._count_up_to(self._begin)  # if this period has entries, no more requests are needed
            return self._period_of(1)
        usual = min(self._calendar.period_of(USUALLY_FIRST).first.toordinal() - 1, self._end)
        is_assumed = usual not in self._counts
        self._counts.setdefault(usual, 0)
        found = self._period_of(1)
        if is_assumed and found[0] == usual + 1:
            del self._counts[usual]
            self._count_up_to(usual)
            found = self._period_of(1)
        return found

    def _period_of(self, entry: int) -> tuple[int, int]:
        """The first and the last day of the period with the `entry`-th entry by date."""
        without, with_it = self._bounds(entry)
        while without + 1 < with_it and self._last_of_period(without + 1) < with_it:
            middle = self._last_of_period((without + with_it) // 2)
            if middle >= with_it:
                middle = self._calendar.period_of(date.fromordinal(middle)).first.toordinal() - 1
            if self._count_up_to(middle) >= entry:
                with_it = middle
            else:
                without = middle
        return without + 1, with_it

    def _next_counted(self, day: int) -> int:
        """The next day whose count is known; `day` itself if a day in between was counted first."""
        known = min((later for later in self._counts if later > day), default=self._end)
        periods = self._calendar.periods(date.fromordinal(day + 1), date.fromordinal(known))
        if next(islice(periods, NOT_SEARCHED, None), None) is None:
            return known
        self._count_up_to((day + known) // 2)
        return day

    def _bounds(self, entry: int) -> tuple[int, int]:
        """Of the days counted so far, the last with fewer than `entry` entries up to it, and the first with enough."""
        without = max((day for day, entries in self._counts.items() if entries < entry), default=self._begin - 1)
        with_it = (day for day, entries in self._counts.items() if day > without and entries >= entry)
        return without, min(with_it, default=self._end + 1)

    def _is_single(self, day: int) -> bool:
        """Whether there is one entry since the last day counted before: it may be mistyped, and a gap may follow."""
        return self._counts[day] - max(entries for earlier, entries in self._counts.items() if earlier < day) == 1

    def _count_up_to(self, day: int) -> int:
        """How many entries there are up to the end of the period that contains a day; requested once."""
        last = self._last_of_period(day)
        if last not in self._counts:
            self._counts[last] = self._count(DateRange(self._searched.first, date.fromordinal(last)))
        return self._counts[last]

    def _last_of_period(self, day: int) -> int:
        return min(self._calendar.period_of(date.fromordinal(day)).last.toordinal(), self._end)
