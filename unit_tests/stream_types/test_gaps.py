"""No day that has an entry is in a gap, whatever the entries are; and gaps are found with few questions."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from source_harvest.state.date_range import DAY, DateRange, common, missing
from source_harvest.stream_types.report_gaps import gaps, is_long
from source_harvest.stream_types.report_periods import WEEK_DAYS, Calendar

TODAY = date(2026, 3, 2)
KINDS = ("day", "week", "month", "year")

calendars = st.sampled_from(
    [*(Calendar(kind) for kind in ("day", "month", "year")), *(Calendar("week", day) for day in WEEK_DAYS)]
)
days = st.dates(date(2019, 1, 1), TODAY) | st.dates(date.min, TODAY) | st.sampled_from([date.min, date(17, 5, 3)])
starts = st.none() | st.dates(date(1995, 1, 1), date(2025, 12, 31))


class Entries:
    """A list with entries on some days, and the questions that were asked about it."""

    def __init__(self, days: list[date]) -> None:
        self.days = days
        self.asked: list[DateRange] = []

    def count(self, span: DateRange) -> int:
        self.asked.append(span)
        return sum((span.first or date.min) <= day <= (span.last or date.max) for day in self.days)


def all_days(calendar: Calendar, start: date | None) -> DateRange:
    """Those before the current period, from that of a start date on."""
    return DateRange(calendar.period_of(start).first if start else None, calendar.period_of(TODAY).first - DAY)


def dense(since: date, step: int = 3) -> list[date]:
    """Entries every few days, several on some of them."""
    found = [since + n * step * DAY for n in range((TODAY - since).days // step)]
    return found + found[::2]


@given(calendars, st.lists(days, max_size=12), starts, st.booleans())
@example(Calendar("day"), [date.min], None, False)
@example(Calendar("week", "Sunday"), [date.min, date(2026, 1, 1)], None, True)
def test_gaps_are_whole_periods_without_entries_and_all_those_before_the_first_entry(
    calendar: Calendar, tracked: list[date], start: date | None, is_likely: bool
) -> None:
    entries, span = Entries(tracked), all_days(calendar, start)
    found = gaps(span, calendar, entries.count, is_likely=is_likely)
    for gap in found:
        assert Entries(tracked).count(gap) == 0
        assert gap.last
        assert calendar.period_of(gap.last).last == gap.last
        assert gap.first == span.first or (gap.first and calendar.period_of(gap.first).first == gap.first)
        assert gap.first == span.first or is_long(gap, calendar)
    inside = [day for day in tracked if (span.first or date.min) <= day <= (span.last or date.max)]
    until = calendar.period_of(min(inside)).first if inside else (span.last or date.max) + DAY
    before = [DateRange(span.first, until - DAY)] if until > (span.first or date.min) else []
    assert [gap for gap in found if gap.first == span.first] == before


@pytest.mark.slow
@given(calendars, st.lists(days, max_size=12), starts, st.randoms(use_true_random=False))
def test_while_entries_come_and_go_no_days_are_a_gap_that_were_not_answered_to_be_empty(
    calendar: Calendar, tracked: list[date], start: date | None, chance: Random
) -> None:
    entries, answers = Entries(tracked), {}

    def count(span: DateRange) -> int:
        if entries.days and chance.random() < 0.3:
            entries.days.pop()
        if chance.random() < 0.3:
            entries.days.append(TODAY - chance.randrange(20_000) * DAY)
        answers[span] = entries.count(span)
        return answers[span]

    span = all_days(calendar, start)
    found = gaps(span, calendar, count)
    assert all(answers[gap] == 0 for gap in found if gap.first != span.first)
    assert len(entries.asked) < 1_000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stray", ["0001-01-01", "0017-05-03", "1899-12-31", "1990-02-11", "2006-01-01", "2015-07-15"])
@pytest.mark.parametrize("has_start", [False, True])
def test_a_stray_entry_costs_few_questions_and_all_between_it_and_the_others_is_a_gap(
    has_start: bool, stray: str, kind: str
) -> None:
    calendar, since, day = Calendar(kind), date(2025, 8, 14), date.fromisoformat(stray)
    entries, span = Entries([*dense(since), day]), all_days(calendar, day if has_start else None)
    found = gaps(span, calendar, entries.count)
    own, rest = calendar.period_of(day), calendar.period_of(since)
    begins = None if has_start or own.first == date.min else own.first
    assert common(missing(found), [DateRange(None, TODAY)]) == [
        DateRange(begins, own.last),
        DateRange(rest.first, TODAY),
    ]
    assert len(entries.asked) <= (80 if kind == "day" else 40)


@pytest.mark.parametrize(("kind", "most"), [("day", 60), ("week", 15), ("month", 9), ("year", 6)])
@pytest.mark.parametrize("start", [None, date(1995, 1, 1)])
def test_where_a_list_begins_is_found_with_few_questions(start: date | None, kind: str, most: int) -> None:
    entries, calendar = Entries(dense(date(2023, 3, 5))), Calendar(kind)
    [before] = gaps(all_days(calendar, start), calendar, entries.count)
    assert before.last == calendar.period_of(date(2023, 3, 5)).first - DAY
    assert len(entries.asked) <= most + bool(start)


@pytest.mark.parametrize("kind", KINDS)
def test_one_question_is_asked_where_nothing_has_come(kind: str) -> None:
    calendar = Calendar(kind)
    span = DateRange(None, calendar.period_of(date(2023, 3, 5)).first - DAY)
    entries = Entries([TODAY])
    assert gaps(span, calendar, entries.count, is_likely=True) == [span]
    assert entries.asked == [span]


def years_of(*years: int) -> Iterator[date]:
    """Entries in each month of some years."""
    return (date(year, month, 9) for year in years for month in range(1, 13) for _ in range(5))


def test_a_gap_of_years_between_years_of_work_is_found() -> None:
    calendar, entries = Calendar("month"), Entries([*years_of(*range(2008, 2016)), *years_of(2022, 2023, 2024, 2025)])
    found = gaps(all_days(calendar, None), calendar, entries.count)
    assert found == [DateRange(None, date(2007, 12, 31)), DateRange(date(2016, 1, 1), date(2021, 12, 31))]
    assert len(entries.asked) < 40


@pytest.mark.parametrize("answer", [lambda _: 1, lambda span: int(span.last is not None)])
def test_a_list_that_does_not_say_how_many_entries_it_has_has_no_gaps(answer: Callable[[DateRange], int]) -> None:
    assert gaps(all_days(Calendar("month"), date(1995, 1, 1)), Calendar("month"), answer) == []


def test_a_gap_is_long_if_it_takes_two_years_or_has_many_periods() -> None:
    first = date(2024, 1, 1)
    for kind, least in (("day", first + 50 * DAY), ("week", first + timedelta(weeks=51) - DAY)):
        assert is_long(DateRange(first, least), Calendar(kind))
        assert not is_long(DateRange(first, Calendar(kind).period_of(least).first - DAY), Calendar(kind))
    for kind, before in (("month", date(2025, 11, 30)), ("year", date(2024, 12, 31))):
        assert is_long(DateRange(first, date(2025, 12, 31)), Calendar(kind))
        assert not is_long(DateRange(first, before), Calendar(kind))
