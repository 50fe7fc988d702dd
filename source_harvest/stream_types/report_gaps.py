"""Gaps: days for which a list has no entries, so that no report need be asked for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import islice

from source_harvest.state.date_range import DateRange
from source_harvest.stream_types.report_periods import Calendar

# Harvest began in 2006. Entries of before were imported or mistyped; earlier days are searched only if there are any.
USUALLY_FIRST = date(2006, 1, 1)

# So many periods in a row are read without a search for gaps in them.
NOT_SEARCHED = 36

# A gap is long if it has more periods than this, or takes two years.
PERIODS = 50
TWO_YEARS = timedelta(days=729)


def gaps(
    span: DateRange, calendar: Calendar, count: Callable[[DateRange], int], *, is_likely: bool = False
) -> list[DateRange]:
    """The days of a span before its first entry, and the long gaps after that.

    Spans begin and end with a period; the one that is searched may have no beginning. `count` asks Harvest how many
    entries some days have. Where `is_likely` that there are none, the first question is about the whole span.
    """
    found = _Search(span, calendar, count).gaps(is_likely=is_likely)
    # A number that did not grow may be one entry more and another one less, so each gap is asked about by itself.
    return [gap for gap in found if gap.first == span.first or not count(gap)]


def is_long(gap: DateRange, calendar: Calendar) -> bool:
    """Whether a gap is worth a request in each later sync."""
    return (gap.last or date.max) >= _long_until(gap.first or date.min, calendar)


def _long_until(first: date, calendar: Calendar) -> date:
    """The last day of the shortest long gap that begins on a day."""
    last = first + TWO_YEARS
    after_many = next(islice(calendar.periods(first, last), PERIODS, None), None)
    return after_many.last if after_many else calendar.period_of(last).last


class _Search:
    """Asks how many entries there are up to the end of a period; where that does not grow, there is a gap.

    Days are ordinals here, because there is no date before the first.
    """

    def __init__(self, span: DateRange, calendar: Calendar, count: Callable[[DateRange], int]) -> None:
        self._span = span
        self._calendar = calendar
        self._count = count
        self._begin = (span.first or date.min).toordinal()
        self._end = (span.last or date.max).toordinal()
        self._counts = {self._begin - 1: 0}

    def gaps(self, *, is_likely: bool) -> Iterator[DateRange]:
        """The gap before the first entry, where there is one, and the long ones after it, in their order."""
        if is_likely:
            self._ask(self._end)
        first, day = self._first_period()
        if first > self._begin:
            yield DateRange(self._span.first, date.fromordinal(first - 1))
        while day < self._end:
            entries = self._counts[day]
            without, with_more = self._bounds(entries + 1)
            long_until = _long_until(date.fromordinal(day + 1), self._calendar).toordinal()
            if without >= long_until:
                before, (first, last) = self._period_of(entries)[1], self._period_of(entries + 1)
                yield DateRange(date.fromordinal(min(before, day) + 1), date.fromordinal(first - 1))
                day = last
            elif with_more > long_until and (without > day or self._is_single(day)):
                self._ask(long_until)
            else:
                day = self._read_on(day)

    def _first_period(self) -> tuple[int, int]:
        """The first and the last day of the first period with entries; the days after the end where there is none."""
        if self._span.first:
            if self._counts.get(self._end) != 0:
                self._ask(self._begin)  # where that is not empty, it takes no more questions
            return self._period_of(1)
        usual = min(self._calendar.period_of(USUALLY_FIRST).first.toordinal() - 1, self._end)
        is_assumed = usual not in self._counts
        self._counts.setdefault(usual, 0)
        found = self._period_of(1)
        if is_assumed and found[0] == usual + 1:
            del self._counts[usual]
            self._ask(usual)
            found = self._period_of(1)
        return found

    def _period_of(self, entry: int) -> tuple[int, int]:
        """The same of the period that has the entry of that number, in the order of their days."""
        without, with_it = self._bounds(entry)
        while without + 1 < with_it and self._last_of_period(without + 1) < with_it:
            middle = self._last_of_period((without + with_it) // 2)
            if middle >= with_it:
                middle = self._calendar.period_of(date.fromordinal(middle)).first.toordinal() - 1
            if self._ask(middle) >= entry:
                with_it = middle
            else:
                without = middle
        return without + 1, with_it

    def _read_on(self, day: int) -> int:
        """The next day that is known of; the same day where one in between is asked about first."""
        known = min((later for later in self._counts if later > day), default=self._end)
        periods = self._calendar.periods(date.fromordinal(day + 1), date.fromordinal(known))
        if next(islice(periods, NOT_SEARCHED, None), None) is None:
            return known
        self._ask((day + known) // 2)
        return day

    def _bounds(self, entry: int) -> tuple[int, int]:
        """As far as is known, the last day by which there are fewer entries, and the first by which there are not."""
        without = max((day for day, entries in self._counts.items() if entries < entry), default=self._begin - 1)
        with_it = (day for day, entries in self._counts.items() if day > without and entries >= entry)
        return without, min(with_it, default=self._end + 1)

    def _is_single(self, day: int) -> bool:
        """Whether there is one entry since the day before that is known of: it may be mistyped, and a gap follow it."""
        return self._counts[day] - max(entries for earlier, entries in self._counts.items() if earlier < day) == 1

    def _ask(self, day: int) -> int:
        """How many entries there are up to the end of the period that has that day; asked once."""
        last = self._last_of_period(day)
        if last not in self._counts:
            self._counts[last] = self._count(DateRange(self._span.first, date.fromordinal(last)))
        return self._counts[last]

    def _last_of_period(self, day: int) -> int:
        return min(self._calendar.period_of(date.fromordinal(day)).last.toordinal(), self._end)
