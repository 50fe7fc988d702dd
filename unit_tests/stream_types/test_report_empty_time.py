"""The time before the first entry, and around a stray one, costs a report few requests."""

from datetime import date
from typing import Any

import pytest

from emulator import Harvest
from testing.accounts import an_entry, of_late
from testing.comparisons import keyed
from testing.expected_reports import DAY, period_of, periods, reports, today
from testing.expected_tables import identity
from testing.in_process import kills, state_of, sync
from testing.report_syncs import ONE_OF_EACH, Days, asked, asked_by


def lists_asked(harvest: Harvest) -> int:
    return sum(request.path in ("/v2/time_entries", "/v2/expenses") for request in harvest.requests)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["week", "month", "year"])
@pytest.mark.parametrize("start", ["1995-06-01", "2016-02-29", "2023-02-28"])
def test_from_a_start_date_long_before_the_first_entry_reports_begin_with_that_entry(
    start: str, kind: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    since = of_late(harvest)
    config |= {"replication_start_date": start, "report_period": kind, "report_lookback_days": 20}
    first = sync(config, ONE_OF_EACH)
    expected = periods(since, today(harvest), kind)
    assert {name: asked(harvest, name) for name in ONE_OF_EACH} == dict.fromkeys(ONE_OF_EACH, expected)
    assert lists_asked(harvest) <= 2 * 13
    rows = reports(harvest, kind, since=since)
    for name in ONE_OF_EACH:
        assert keyed(name, first.records(name)) == keyed(name, rows[name]), name
    harvest.requests.clear()
    second = sync(config, ONE_OF_EACH, first.state)
    again = periods(today(harvest) - 20 * DAY, today(harvest), kind)
    assert {name: asked(harvest, name) for name in ONE_OF_EACH} == dict.fromkeys(ONE_OF_EACH, again)
    assert lists_asked(harvest) <= 2
    assert second.states == first.states


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["week", "month", "year"])
@pytest.mark.parametrize("has_start", [False, True], ids=["all time", "a start date"])
@pytest.mark.parametrize("stray", ["0001-01-01", "0017-05-03", "1990-02-11", "2015-07-15"])
def test_the_empty_time_around_a_stray_entry_is_not_read(
    stray: str, has_start: bool, kind: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    since, day = of_late(harvest), date.fromisoformat(stray)
    an_entry(harvest, stray)
    config |= {"report_period": kind, "report_lookback_days": 20}
    config |= {"replication_start_date": "1970-01-01"} if has_start else {}
    first = sync(config, ONE_OF_EACH)
    assert first.error is None
    late = periods(since, today(harvest), kind)
    own = [] if has_start and day.year < 1970 else [period_of(day, kind)] if day.year > 1 else [first_period(kind)]
    for name in ONE_OF_EACH:
        assert asked(harvest, name) == [*([] if name.startswith("expenses") else own), *late], name
    assert lists_asked(harvest) <= 2 * 30
    held = [row for row in first.records("time_clients") if row["period_start"] == own[0][0].isoformat()] if own else []
    assert [row["total_hours"] for row in held] == [2.0] * len(own)
    harvest.requests.clear()
    second = sync(config, ONE_OF_EACH, first.state)
    assert {name: asked(harvest, name) for name in ONE_OF_EACH} == dict.fromkeys(
        ONE_OF_EACH, periods(today(harvest) - 20 * DAY, today(harvest), kind)
    )
    assert lists_asked(harvest) <= 5
    assert second.states == first.states


def first_period(kind: str) -> Days:
    """The first of all, where `period_of` would look at days of before."""
    return date.min, {"week": date(1, 1, 7), "month": date(1, 1, 31), "year": date(1, 12, 31)}[kind]


@pytest.mark.slow
@pytest.mark.parametrize("start", [{}, {"replication_start_date": "1990-01-01"}], ids=["all time", "a start date"])
@pytest.mark.parametrize("name", ["time_clients", "time_tasks"])
def test_what_is_entered_later_for_days_that_were_empty_is_read_once_and_what_is_around_it_is_not(
    name: str, start: dict[str, str], harvest: Harvest, config: dict[str, Any]
) -> None:
    since = of_late(harvest)
    an_entry(harvest, "1996-03-10")
    config |= start
    may_change = periods(today(harvest) - 90 * DAY, today(harvest), "month")
    spans, state = asked_by(harvest, config, name=name)
    assert spans == [(date(1996, 3, 1), date(1996, 3, 31)), *periods(since, today(harvest), "month")]
    for day in ("2003-05-17", "2011-12-31", "1990-01-01"):
        an_entry(harvest, day)
        spans, state = asked_by(harvest, config, state, name)
        assert spans == [period_of(date.fromisoformat(day), "month"), *may_change]
        assert asked_by(harvest, config, state, name)[0] == may_change


@pytest.mark.slow
def test_a_killed_sync_goes_on_though_an_empty_time_was_left_out(harvest: Harvest, config: dict[str, Any]) -> None:
    """What is entered meanwhile is read, and what was read and is deleted meanwhile becomes zero."""
    of_late(harvest, days=80)
    early = an_entry(harvest, "1996-03-10")
    late = max(harvest.listed("time_entries"), key=lambda row: row["spent_date"])["spent_date"]
    config |= {"num_workers": 1}
    whole = sync(config, ["time_tasks"])
    for killed in [*kills(whole, "time_tasks")][1:-1:3]:
        entry = an_entry(harvest, "2003-05-17")
        result = sync(config, ["time_tasks"], killed.state)
        rows = keyed("time_tasks", killed.records("time_tasks") + result.records("time_tasks"))
        assert rows == keyed("time_tasks", reports(harvest, since=date(1996, 3, 1))["time_tasks"])
        harvest.delete("time_entries", entry)
    killed = [*kills(whole, "time_tasks")][-2]
    for row in harvest.listed("time_entries"):
        if row["id"] != early and row["spent_date"] < late:
            harvest.delete("time_entries", row["id"])
    result = sync(config, ["time_tasks"], killed.state)
    last = {identity("time_tasks", r): r for s in (killed, result) for r in s.records("time_tasks")}
    rows = keyed("time_tasks", list(last.values()))
    assert rows == keyed("time_tasks", reports(harvest, since=date(1996, 3, 1))["time_tasks"])


@pytest.mark.slow
@pytest.mark.parametrize("status", [403, 404])
def test_where_the_lists_may_not_be_read_reports_begin_with_the_start_date(
    status: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    since = of_late(harvest)
    config |= {"replication_start_date": "2021-03-15"}
    _, state = asked_by(harvest, config)
    harvest.faults.add(path="/v2/time_entries$", status=status, times=None)
    everything = periods(date(2021, 3, 1), today(harvest), "month")
    spans, after = asked_by(harvest, config)
    assert spans == everything
    assert asked_by(harvest, config, after)[0] == periods(today(harvest) - 90 * DAY, today(harvest), "month")
    may_change = periods(today(harvest) - 90 * DAY, today(harvest), "month")
    left_out = periods(date(2021, 3, 1), since - 31 * DAY, "month")
    assert asked_by(harvest, config, state)[0] == [*left_out, *may_change]


def test_a_start_date_that_is_taken_back_or_moved_reads_no_empty_time(harvest: Harvest, config: dict[str, Any]) -> None:
    since = of_late(harvest)
    an_entry(harvest, "1996-03-10")
    may_change = periods(today(harvest) - 90 * DAY, today(harvest), "month")
    late, early = ({**config, "replication_start_date": day} for day in ("2001-01-01", "1990-01-01"))
    spans, state = asked_by(harvest, late)
    assert spans == periods(since, today(harvest), "month")
    stray = period_of(date(1996, 3, 10), "month")
    assert asked_by(harvest, early, state)[0] == [stray, *may_change]
    spans, state = asked_by(harvest, config, state)
    assert spans == [stray, *may_change]
    spans, state = asked_by(harvest, early, state)
    assert spans == may_change
    assert asked_by(harvest, config, state)[0] == may_change


def test_the_state_of_a_version_that_knew_no_gaps_is_continued(harvest: Harvest, config: dict[str, Any]) -> None:
    """That version had found nothing of before 1990, and had read all from there on."""
    of_late(harvest)
    may_change = periods(today(harvest) - 90 * DAY, today(harvest), "month")
    for begin in ({"first": "1990-01-01"}, {"from": "1995-01-01"}):
        moment = f"{harvest.clock.now():%Y-%m-%dT%H:%M:%SZ}"
        before = {"period_end": moment, "period": "month", "read_by": "1 administrator", "subjects": {}, **begin}
        start = {"replication_start_date": "1995-01-01"} if "from" in begin else {}
        spans, state = asked_by(harvest, {**config, **start}, state_of("time_clients", before))
        assert spans == may_change
        assert asked_by(harvest, {**config, **start}, state)[0] == may_change
    before = {**before, "first": "1990-01-01"}
    del before["from"]
    an_entry(harvest, "0017-05-03")
    spans, state = asked_by(harvest, config, state_of("time_clients", before))
    assert spans == [period_of(date(17, 5, 3), "month"), *may_change]
    assert asked_by(harvest, config, state)[0] == may_change
