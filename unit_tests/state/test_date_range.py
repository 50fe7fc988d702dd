"""Days are neither lost nor read twice, however a list is cut and in whatever order its pieces are finished."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from source_harvest.state.date_range import ALL_DAYS, DAY, DateRange, merged, missing
from source_harvest.sync.date_slices import cut

DAYS = [date(2024, 1, 1) + timedelta(days=n) for n in range(40)]
PROBES = [date.min, *DAYS, date(2030, 1, 1), date.max]

ends = st.none() | st.sampled_from(DAYS)
spans = st.tuples(ends, ends).filter(lambda e: not (e[0] and e[1]) or e[0] <= e[1]).map(lambda e: DateRange(*e))


def holds(span: DateRange, day: date) -> bool:
    return (span.first or date.min) <= day <= (span.last or date.max)


@given(st.lists(spans, max_size=6), st.sampled_from(PROBES))
def test_each_day_is_either_done_or_missing(done: list[DateRange], day: date) -> None:
    found = [span for span in missing(done) if holds(span, day)]
    assert len(found) == (0 if any(holds(span, day) for span in done) else 1)


@given(st.lists(spans, max_size=6), st.sampled_from(PROBES))
def test_merging_keeps_every_day_in_spans_that_do_not_touch(done: list[DateRange], day: date) -> None:
    found = merged(done)
    assert sum(holds(span, day) for span in found) == any(holds(span, day) for span in done)
    for earlier, later in pairwise(found):
        assert earlier.last is not None
        assert later.first is not None
        assert earlier.last + DAY < later.first


@given(spans, st.lists(st.sampled_from(DAYS), min_size=1), st.integers(1, 5000), st.sampled_from(PROBES))
def test_what_a_first_page_holds_and_the_parts_of_the_rest_are_the_span(
    span: DateRange, days: list[date], pages_left: int, day: date
) -> None:
    days = sorted((d for d in days if holds(span, d)), reverse=True)
    if not days:
        return
    done, rest = cut(span, days, pages_left)
    if rest:
        assert sum(holds(part, day) for part in (*rest, *([done] if done else []))) == holds(span, day)
        assert span not in rest
    if done:
        assert not holds(done, days[-1])


@given(spans)
def test_a_span_survives_the_state(span: DateRange) -> None:
    assert DateRange.of(span.ends) == span


def test_all_days_have_no_filter_and_a_span_states_both_its_ends() -> None:
    assert ALL_DAYS.params == {}
    assert DateRange(DAYS[0], DAYS[1]).params == {"from": "2024-01-01", "to": "2024-01-02"}
    assert missing([]) == [ALL_DAYS]
    assert missing([ALL_DAYS]) == []
