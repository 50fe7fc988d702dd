"""Reports are facts: their rows can be summed, and come to what the account reckons whatever happens between syncs."""

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from itertools import cycle, pairwise
from typing import Any

import pytest
from airbyte_cdk.models import SyncMode
from urllib3.connection import HTTPConnection

from emulator import Harvest
from source_harvest import SourceHarvest, budget
from source_harvest.answer import Page
from source_harvest.packing import unpacked
from source_harvest.reports import DAYS
from source_harvest.spans import Span
from source_harvest.streams import STREAMS
from source_harvest.streams.reports import TimeTasks
from unit_tests.reckoning import DAY, Row, period_of, periods, reports, today
from unit_tests.syncing import LOGGER, REPORTS, Sync, kills, state_of, stream_name, sync
from unit_tests.tables import identity, tables

PATHS = {stream_name(stream): f"/v2/{stream.resource}" for stream in STREAMS}
CENT = Decimal("0.01")
NUMBERS = ("_hours", "_amount", "_expenses")
Days = tuple[date, date]
ONE_OF_EACH = ["time_clients", "expenses_team", "uninvoiced"]


def move_to(harvest: Harvest, moment: str) -> None:
    """The clock is set on, to noon in UTC where only a day is given."""
    text = moment if "T" in moment else f"{moment}T12:00:00"
    to = datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
    assert to >= harvest.clock.now()
    harvest.clock.advance(seconds=(to - harvest.clock.now()).total_seconds())


def asked(harvest: Harvest, name: str = "time_clients") -> list[Days]:
    """The periods that a report was asked for since the requests were cleared, sorted."""
    queries = [request.query for request in harvest.requests if request.path == PATHS[name]]
    spans = [tuple(datetime.strptime(query[end], "%Y%m%d").date() for end in ("from", "to")) for query in queries]  # noqa: DTZ007
    return sorted(spans)


def asked_by(
    harvest: Harvest, config: dict[str, Any], state: Any = None, name: str = "time_clients"
) -> tuple[list[Days], Any]:
    """The periods that a sync of one report asks for, and its state."""
    harvest.requests.clear()
    result = sync(config, [name], state)
    assert result.error is None
    return asked(harvest, name), result.state


def is_zero(row: Row) -> bool:
    """Whether nothing is left of a subject in a period."""
    return not any(value for column, value in row.items() if column.endswith(NUMBERS))


def keyed(name: str, rows: list[Row]) -> dict[tuple[Any, ...], Row]:
    """Rows by their key; rows of zeros are as good as none."""
    return {identity(name, row): row for row in rows if not is_zero(row)}


def first_day(harvest: Harvest, *lists: str) -> date:
    return min(date.fromisoformat(row["spent_date"]) for name in lists for row in harvest.listed(name))


def without_entries(harvest: Harvest) -> None:
    """All that was tracked is deleted."""
    for name in ("time_entries", "expenses"):
        for row in harvest.listed(name):
            harvest.delete(name, row["id"])


def an_entry(harvest: Harvest, day: str, **values: Any) -> int:
    """Adds time that somebody worked on a day on a project that is paid by the hour."""
    slot = next(row for row in harvest.listed("user_assignments") if row["is_active"])
    where = {"project_id": slot["project"]["id"], "user_id": slot["user"]["id"]}
    return harvest.add("time_entries", **{**where, "spent_date": day, "hours": 2.0, **values})


# Which periods are read.


@pytest.mark.parametrize("kind", ["week", "month", "year"])
@pytest.mark.parametrize("name", ["time_clients", "expenses_team", "uninvoiced"])
def test_a_first_sync_reads_each_period_from_that_of_the_first_entry_to_the_current_one(
    name: str, kind: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    lists = {"t": ["time_entries"], "e": ["expenses"], "u": ["time_entries", "expenses"]}[name[0]]
    spans, _ = asked_by(harvest, {**config, "report_period": kind}, name=name)
    assert spans == periods(first_day(harvest, *lists), today(harvest), kind)


def test_the_first_day_is_found_with_few_requests_for_one_entry_each(harvest: Harvest, config: dict[str, Any]) -> None:
    sync(config, REPORTS)
    for path in ("/v2/time_entries", "/v2/expenses"):
        queries = [request.query for request in harvest.requests if request.path == path]
        assert all(query.keys() == {"to", "per_page"} and query["per_page"] == "1" for query in queries)
        assert 5 < len(queries) <= 9


@pytest.mark.parametrize("is_young", [False, True])
def test_time_that_was_entered_for_days_before_the_first_is_read(
    is_young: bool, harvest: Harvest, config: dict[str, Any]
) -> None:
    """Also where that is longer ago than anything is read again, and where a sync was killed over it."""
    if is_young:
        without_entries(harvest)
    _, state = asked_by(harvest, config)
    for month in range(1, 9):
        an_entry(harvest, f"2020-0{month}-17")
    may_change = periods(today(harvest) - 90 * DAY, today(harvest), "month")
    wanted = [*periods(date(2020, 1, 1), date(2020, 8, 31), "month"), *may_change]
    assert asked_by(harvest, config, state)[0] == wanted
    killed_syncs = [k for k in kills(sync(config, ["time_clients"], state), "time_clients") if is_unfinished(k)]
    assert len(killed_syncs) > 8
    for killed in killed_syncs[::3]:
        done = [Span.of(ends) for ends in killed.states["time_clients"]["unfinished"]["spans"]]
        left = [period for period in wanted if not any(span.covers(*period) for span in done) or period in may_change]
        spans, after = asked_by(harvest, config, killed.state)
        assert spans == left != wanted
        assert asked_by(harvest, config, after)[0] == may_change


def test_in_an_account_without_entries_the_current_period_is_read(harvest: Harvest, config: dict[str, Any]) -> None:
    without_entries(harvest)
    spans, state = asked_by(harvest, config)
    assert spans == [period_of(today(harvest), "month")]
    harvest.clock.advance(days=200)
    _, state = asked_by(harvest, config, state)
    assert asked_by(harvest, config, state)[0] == periods(today(harvest) - 90 * DAY, today(harvest), "month")


@pytest.mark.parametrize(("kind", "count"), [("day", 45), ("week", 8), ("month", 3), ("year", 1)])
def test_with_a_start_date_the_first_period_is_the_one_that_holds_it(
    kind: str, count: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    config |= {"replication_start_date": "2026-01-17", "report_period": kind}
    spans, _ = asked_by(harvest, config)
    assert spans == periods(date(2026, 1, 17), today(harvest), kind)
    assert len(spans) == count
    assert {request.path for request in harvest.requests} <= {"/v2/users/me", "/v2/company", PATHS["time_clients"]}


def of_late(harvest: Harvest, days: int = 200) -> date:
    """All that was tracked is of the last days, some of it of the first of them. Returns that day."""
    without_entries(harvest)
    first = today(harvest) - days * DAY
    for ago in range(days, 0, -4):
        an_entry(harvest, str(today(harvest) - ago * DAY))
        harvest.add("expenses", spent_date=str(today(harvest) - ago * DAY))
    return first


def lists_asked(harvest: Harvest) -> int:
    return sum(request.path in ("/v2/time_entries", "/v2/expenses") for request in harvest.requests)


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


@pytest.mark.parametrize("kind", ["day", "week", "month", "year"])
def test_no_more_than_365_days_are_ever_asked_for(kind: str, harvest: Harvest, config: dict[str, Any]) -> None:
    start = "2026-02-01" if kind == "day" else "2023-06-15"
    sync({**config, "report_period": kind, "replication_start_date": start}, REPORTS)
    for name in REPORTS:
        spans = asked(harvest, name)
        assert spans
        assert max((last - first).days + 1 for first, last in spans) <= 365


def test_a_leap_year_comes_as_two_halves(harvest: Harvest, config: dict[str, Any]) -> None:
    an_entry(harvest, "2023-12-31")
    spans, _ = asked_by(harvest, {**config, "report_period": "year", "replication_start_date": "2023-12-31"})
    assert [[str(day) for day in span] for span in spans] == [
        ["2023-01-01", "2023-12-31"],
        ["2024-01-01", "2024-06-30"],
        ["2024-07-01", "2024-12-31"],
        ["2025-01-01", "2025-12-31"],
        ["2026-01-01", "2026-12-31"],
    ]


@pytest.mark.parametrize("kind", ["day", "week", "month", "year"])
@pytest.mark.parametrize("gap", [0, 1, 40])
def test_an_idle_sync_asks_for_the_periods_that_may_still_change_and_nothing_else(
    gap: int, kind: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    an_entry(harvest, "2026-01-01")
    harvest.add("expenses", spent_date="2026-01-01")
    config |= {"report_period": kind, "report_lookback_days": 20, "replication_start_date": "2026-01-01"}
    first = sync(config, REPORTS)
    read_on = today(harvest)
    harvest.clock.advance(days=gap)
    harvest.requests.clear()
    second = sync(config, REPORTS, first.state)
    expected = periods(read_on - 20 * DAY, today(harvest), kind)
    assert {name: asked(harvest, name) for name in REPORTS} == dict.fromkeys(REPORTS, expected)
    others = Counter(request.path for request in harvest.requests if request.path not in PATHS.values())
    assert others == {"/v2/users/me": 1, **({"/v2/company": 1} if kind == "week" else {})}
    assert second.statuses == dict.fromkeys(REPORTS, "COMPLETE")


@pytest.mark.parametrize("lookback", [0, 1, 30])
def test_a_period_is_read_again_until_it_was_read_so_many_days_after_its_end(
    lookback: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    config |= {"report_lookback_days": lookback, "replication_start_date": "2026-03-01"}
    march, last_chance = (date(2026, 3, 1), date(2026, 3, 31)), date(2026, 3, 31) + lookback * DAY
    move_to(harvest, str(last_chance))
    spans, state = asked_by(harvest, config)
    assert march in spans
    harvest.clock.advance(days=1)
    entry = an_entry(harvest, "2026-03-31")
    spans, state = asked_by(harvest, config, state)
    assert march in spans
    harvest.update("time_entries", entry, hours=3.0)
    harvest.clock.advance(days=1)
    assert march not in asked_by(harvest, config, state)[0]


def test_a_period_that_was_not_read_in_time_is_read_however_late(harvest: Harvest, config: dict[str, Any]) -> None:
    _, state = asked_by(harvest, {**config, "report_lookback_days": 10, "replication_start_date": "2026-02-01"})
    move_to(harvest, "2026-12-24")
    spans, _ = asked_by(harvest, {**config, "report_lookback_days": 10, "replication_start_date": "2026-02-01"}, state)
    assert spans == periods(date(2026, 2, 20), date(2026, 12, 24), "month")


def test_a_start_date_that_moves_back_reads_the_periods_before_too(harvest: Harvest, config: dict[str, Any]) -> None:
    late, early = ({**config, "replication_start_date": day} for day in ("2026-01-15", "2025-06-15"))
    _, state = asked_by(harvest, late)
    spans, state = asked_by(harvest, early, state)
    assert spans == periods(date(2025, 6, 1), today(harvest), "month")
    restatable = periods(today(harvest) - 90 * DAY, today(harvest), "month")
    assert asked_by(harvest, early, state)[0] == restatable
    spans, state = asked_by(harvest, config, state)
    assert spans[:3] == periods(first_day(harvest, "time_entries"), today(harvest), "month")[:3]
    assert asked_by(harvest, early, state)[0] == asked_by(harvest, config, state)[0] == restatable


def test_a_start_date_that_moves_on_reads_what_is_left_of_the_periods(harvest: Harvest, config: dict[str, Any]) -> None:
    _, state = asked_by(harvest, config)
    spans, _ = asked_by(harvest, {**config, "replication_start_date": "2026-02-20"}, state)
    assert spans == periods(date(2026, 2, 1), today(harvest), "month")


def test_a_start_date_of_before_the_first_entry_reads_what_was_entered_for_then(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    _, state = asked_by(harvest, config)
    an_entry(harvest, "2020-05-17")
    spans, _ = asked_by(harvest, {**config, "replication_start_date": "2020-01-01"}, state)
    assert (date(2020, 5, 1), date(2020, 5, 31)) in spans


def test_a_period_that_a_start_date_left_out_before_it_was_settled_is_read_when_the_date_moves_back(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    early, late = ({**config, "replication_start_date": day} for day in ("2026-01-01", "2026-03-01"))
    _, state = asked_by(harvest, early)
    harvest.clock.advance(days=1)
    _, state = asked_by(harvest, late, state)
    harvest.clock.advance(days=200)
    _, state = asked_by(harvest, late, state)
    spans, _ = asked_by(harvest, early, state)
    assert (date(2026, 1, 1), date(2026, 1, 31)) in spans


@pytest.mark.parametrize(("before", "now"), [(None, True), (True, False), (False, None)])
def test_a_changed_count_of_fixed_fees_is_an_error_where_there_may_be_any(
    before: bool | None, now: bool | None, harvest: Harvest, config: dict[str, Any]
) -> None:
    config |= {"replication_start_date": "2025-01-01"}
    names, words = ["time_projects", "expenses_projects", "uninvoiced"], {None: "unset", True: "true", False: "false"}
    state = sync({**config, "include_fixed_fee": before}, names).state
    result = sync({**config, "include_fixed_fee": now}, names, state)
    assert result.statuses == {name: "COMPLETE" if name[0] == "e" else "INCOMPLETE" for name in names}
    for name in ("time_projects", "uninvoiced"):
        failure, message = result.errors[name]
        assert failure == "config_error"
        said = f"{name} was read with include_fixed_fee {words[before]}, and is now to be read with it {words[now]}."
        assert said in message
        assert name not in result.counts | result.states
    expected = reports(harvest, since=date(2025, 1, 1), include_fixed_fee=now)
    cleared = sync({**config, "include_fixed_fee": now}, names)
    for name in names:
        assert keyed(name, cleared.records(name)) == keyed(name, expected[name])


@pytest.mark.parametrize(("kind", "rest"), [("day", "day"), ("week", "week from Monday"), ("year", "year")])
def test_a_changed_kind_of_period_is_an_error_that_names_both(
    kind: str, rest: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    state = sync({**config, "report_period": "month"}, ["time_tasks", "project_budget"]).state
    result = sync({**config, "report_period": kind}, ["time_tasks", "project_budget"], state)
    failure, message = result.errors["time_tasks"]
    assert failure == "config_error"
    assert f"Until now time_tasks was read by month, and is now to be read by {rest}. Clear" in message
    assert result.statuses == {"time_tasks": "INCOMPLETE", "project_budget": "COMPLETE"}
    assert "time_tasks" not in result.counts
    assert "time_tasks" not in result.states
    assert sync({**config, "report_period": kind}, ["time_tasks"]).error is None


def test_a_company_that_begins_its_weeks_on_another_day_is_an_error(harvest: Harvest, config: dict[str, Any]) -> None:
    config |= {"report_period": "week", "replication_start_date": "2026-01-01"}
    state = sync(config, ["time_tasks"]).state
    harvest.week_start_day = "Sunday"
    kind, message = sync(config, ["time_tasks"], state).errors["time_tasks"]
    assert (kind, "by week from Monday, and is now to be read by week from Sunday" in message) == ("config_error", True)


@pytest.mark.parametrize("day", ["Saturday", "Sunday", "Monday", "Wednesday"])
def test_weeks_begin_when_the_companys_do(day: str, harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.week_start_day = day
    config |= {"report_period": "week", "replication_start_date": "2025-12-30"}
    result = sync(config, REPORTS)
    expected = reports(harvest, "week", week_start=day, since=date(2025, 12, 30))
    for name in REPORTS:
        assert keyed(name, result.records(name)) == keyed(name, expected[name]), name
    assert {f"{first:%A}" for first, _ in asked(harvest)} == {day}


def test_weeks_begin_on_mondays_for_users_who_may_not_see_the_company(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.week_start_day = "Sunday"
    config["credentials"]["api_token"] = harvest.token_for("member")
    spans, state = asked_by(harvest, {**config, "report_period": "week", "replication_start_date": "2026-02-01"})
    assert {f"{first:%A}" for first, _ in spans} == {"Monday"}
    assert asked_by(harvest, {**config, "report_period": "week"}, state)[0]


def test_weeks_stay_as_they_were_for_a_user_who_may_no_longer_see_the_company(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.week_start_day = "Sunday"
    config |= {"report_period": "week", "replication_start_date": "2026-02-01"}
    state = sync(config, ["time_clients"]).state
    config["credentials"]["api_token"] = harvest.token_for("member")
    assert {f"{first:%A}" for first, _ in asked_by(harvest, config, state)[0]} == {"Sunday"}


def test_weeks_are_not_guessed_where_the_company_fails_to_answer(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    """Otherwise the next sync, with the true weeks, would be one that asks to clear the data."""
    harvest.week_start_day = "Sunday"
    harvest.faults.add(path="/company$", status=503, times=None)
    result = sync({**config, "report_period": "week", "replication_start_date": "2026-02-01"}, ["time_clients"])
    harvest.faults.clear()
    assert result.statuses == {"time_clients": "INCOMPLETE"}
    assert {f"{first:%A}" for first, _ in asked(harvest)} <= {"Sunday"}


def test_the_state_of_the_earlier_connector_is_taken_over(harvest: Harvest, config: dict[str, Any]) -> None:
    spans, state = asked_by(harvest, config, state_of("time_clients", {"to": "20251130"}))
    assert spans == periods(date(2025, 11, 30) - 90 * DAY, today(harvest), "month")
    assert asked_by(harvest, config, state)[0] == periods(today(harvest) - 90 * DAY, today(harvest), "month")


def test_a_state_from_the_future_is_distrusted(harvest: Harvest, config: dict[str, Any]) -> None:
    whole, _ = asked_by(harvest, config)
    assert asked_by(harvest, config, state_of("time_clients", {"period_end": "2999-01-01T00:00:00Z"}))[0] == whole


@pytest.mark.parametrize(
    "state",
    [
        {"to": "soon"},
        {"to": 20240615},
        {"to": "20240615", "from": "20240101"},
        {"period_end": "2026-01-01T00:00:00Z", "subjects": {"EUR": "x"}},
        {"period_end": "2026-01-01T00:00:00Z", "subjects": []},
        {"period_end": "2026-01-01T00:00:00Z", "from": "x"},
        {"period_end": "2026-01-01T00:00:00Z", "from": None},
        {"period_end": 5},
        {"updated_at": "2026-01-01T00:00:00Z", "more": 1},
    ],
)
def test_an_unreadable_state_is_an_error_that_names_the_report(state: dict[str, Any], config: dict[str, Any]) -> None:
    result = sync(config, ["time_clients"], state_of("time_clients", state))
    assert 'The state of the stream "time_clients" cannot be read' in str(result.error)
    assert result.messages == []


def test_a_state_says_how_far_the_report_is_and_in_which_periods(harvest: Harvest, config: dict[str, Any]) -> None:
    config |= {"replication_start_date": "2026-01-17", "include_fixed_fee": True}
    state = dict(sync(config, ["time_clients"]).states["time_clients"])
    assert set(state.pop("subjects")) == {
        row["currency"] for row in reports(harvest, since=date(2026, 1, 1))["time_clients"]
    }
    assert state == {
        "period_end": f"{harvest.clock.now():%Y-%m-%dT%H:%M:%SZ}",
        "account": str(harvest.account_id),
        "period": "month",
        "from": "2026-01-01",
        "include_fixed_fee": True,
    }


# Which day it is.


@pytest.mark.parametrize(
    ("zone", "moment", "current"),
    [
        ("Berlin", "2026-03-31T21:59:59", "2026-03-01"),
        ("Berlin", "2026-03-31T22:00:00", "2026-04-01"),
        ("Eastern Time (US & Canada)", "2026-04-01T03:59:59", "2026-03-01"),
        ("Eastern Time (US & Canada)", "2026-04-01T04:00:00", "2026-04-01"),
        ("Nowhere", "2026-03-31T23:59:59", "2026-03-01"),
        (None, "2026-04-01T00:00:00", "2026-04-01"),
    ],
)
def test_the_current_period_is_the_users(
    zone: str | None, moment: str, current: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    me = next(user["id"] for user in harvest.listed("users") if "administrator" in user["access_roles"])
    harvest.update("users", me, timezone=zone)
    move_to(harvest, moment)
    spans, _ = asked_by(harvest, {**config, "replication_start_date": "2026-02-01"})
    assert str(spans[-1][0]) == current


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("Berlin", "2026-03-31T21:59:59", "2026-03-31"),
        ("Berlin", "2026-03-31T22:00:00", "2026-04-01"),
        ("Eastern Time (US & Canada)", "2026-04-01T03:59:59", "2026-03-31"),
    ],
)
def test_a_snapshot_of_budgets_is_of_the_users_day(
    zone: str, moment: str, day: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    me = next(user["id"] for user in harvest.listed("users") if "administrator" in user["access_roles"])
    harvest.update("users", me, timezone=zone)
    move_to(harvest, moment)
    assert {row["snapshot_date"] for row in sync(config, ["project_budget"]).records("project_budget")} == {day}


def test_syncs_of_several_days_make_a_history_of_budgets(harvest: Harvest, config: dict[str, Any]) -> None:
    state, held, expected = None, {}, {}
    for day in ("2026-03-03", "2026-03-04", "2026-04-01"):
        move_to(harvest, day)
        for _ in range(2):  # the second sync of a day replaces the first
            an_entry(harvest, day)
            harvest.clock.advance(hours=3)
            result = sync(config, ["project_budget"], state)
            state = result.state
            held |= {identity("project_budget", row): row for row in result.records("project_budget")}
            expected |= {identity("project_budget", row): row for row in tables(harvest)["project_budget"]}
    assert held == expected
    assert len({day for _, day in held}) == 3


# What the rows are.


@pytest.mark.parametrize(("kind", "since"), [("day", "2026-02-10"), ("week", "2025-11-30"), ("year", "2023-05-01")])
def test_rows_are_those_that_the_account_reckons_whatever_the_period(
    kind: str, since: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    result = sync({**config, "report_period": kind, "replication_start_date": since}, REPORTS)
    expected = reports(harvest, kind, since=date.fromisoformat(since))
    for name in REPORTS:
        found = result.records(name)
        assert {identity(name, row): row for row in found} == {identity(name, row): row for row in expected[name]}, name
        assert len(found) == len(expected[name])


def test_days_weeks_and_months_of_a_year_come_to_that_year(harvest: Harvest, config: dict[str, Any]) -> None:
    names, totals = ["time_team", "expenses_team"], {}
    for kind in ("day", "month", "year"):
        result = sync({**config, "report_period": kind, "replication_start_date": "2025-01-01"}, names)
        sums: Counter[tuple[Any, ...]] = Counter()
        for name in names:
            for row in result.records(name):
                if row["period_end"] <= "2025-12-31":
                    hours = row.get("total_hours", row.get("total_amount"))
                    sums[name, row["user_id"], row["currency"]] += Decimal(str(hours))
        totals[kind] = sums
    assert totals["day"] == totals["month"] == totals["year"] != {}


def test_what_has_nothing_left_in_a_period_comes_once_more_with_zeros(harvest: Harvest, config: dict[str, Any]) -> None:
    task = harvest.add("tasks", name="Short-lived")
    entry = an_entry(harvest, "2026-02-10", task_id=task)
    first = sync(config, ["time_tasks", "time_team"])
    [before] = [row for row in first.records("time_tasks") if row["task_id"] == task]
    harvest.clock.advance(hours=1)
    harvest.delete("time_entries", entry)
    second = sync(config, ["time_tasks", "time_team"], first.state)
    [after] = [row for row in second.records("time_tasks") if row["task_id"] == task]
    zeros = {"total_hours": 0, "billable_hours": 0, "billable_amount": 0, "task_name": None}
    assert before["total_hours"] == 2.0
    assert after == {**before, **zeros}
    third = sync(config, ["time_tasks"], second.state)
    assert task not in {row["task_id"] for row in third.records("time_tasks")}
    assert third.counts["time_tasks"] == second.counts["time_tasks"] - 1


def test_an_entry_that_moves_to_another_period_is_counted_there_and_no_longer_here(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    task = harvest.add("tasks", name="Postponed")
    entry = an_entry(harvest, "2026-02-10", task_id=task)
    first = sync(config, ["time_tasks"])
    harvest.update("time_entries", entry, spent_date="2026-03-01")
    second = sync(config, ["time_tasks"], first.state)
    hours = {row["period_start"]: row["total_hours"] for row in second.records("time_tasks") if row["task_id"] == task}
    assert hours == {"2026-02-01": 0, "2026-03-01": 2.0}


def a_task_in_two_currencies(harvest: Harvest, config: dict[str, Any], hours: tuple[float, float] = (1.0, 2.5)) -> int:
    """Adds a task that somebody who may not see rates works on for two clients, and lets them read."""
    token = config["credentials"]["api_token"] = harvest.token_for("member")
    member = harvest.oauth.user_of(token, harvest.clock.now())
    task = harvest.add("tasks", name="For all")
    for currency, worked in zip(("EUR", "USD"), hours, strict=True):
        client = harvest.add("clients", currency=currency)
        project = harvest.add("projects", client_id=client)
        harvest.add("time_entries", project_id=project, user_id=member, task_id=task, hours=worked)
    return task


@pytest.mark.parametrize("hours", [(1.0, 2.5), (1.75, 1.75)])
def test_a_subject_is_one_row_where_its_currency_is_not_shown(
    hours: tuple[float, float], harvest: Harvest, config: dict[str, Any]
) -> None:
    """One task for clients of two currencies, seen by somebody who may not see rates."""
    task = a_task_in_two_currencies(harvest, config, hours)
    result = sync({**config, "replication_start_date": "2026-03-01"}, ["time_tasks"])
    [row] = [row for row in result.records("time_tasks") if row["task_id"] == task]
    assert (row["currency"], row["total_hours"], row["billable_hours"]) == ("", 3.5, 3.5)
    assert "billable_amount" not in row
    assert len(asked(harvest, "time_tasks")) == 1


def test_rows_that_nothing_tells_apart_leave_no_doubt_of_how_many_there_are(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    a_task_in_two_currencies(harvest, config, hours=(2.0, 2.0))
    slot = harvest.listed("time_entries")[0]
    task = harvest.add("tasks", name="Postponed")
    entry = harvest.add(
        "time_entries", project_id=slot["project"]["id"], user_id=slot["user"]["id"], task_id=task, hours=1.0
    )
    config |= {"replication_start_date": "2026-03-01"}
    first = sync(config, ["time_tasks"])
    harvest.delete("time_entries", entry)
    second = sync(config, ["time_tasks"], first.state)
    assert [
        [row["total_hours"] for row in result.records("time_tasks") if row["task_id"] == task]
        for result in (first, second)
    ] == [[1], []]
    assert "announced" not in caplog.text


def test_no_state_forgets_a_row_that_came_before_it(
    harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a thread is put aside between composing a state and sending it."""
    keep, delays = TimeTasks.keep, cycle([0.05, 0])

    def keep_slowly(stream: TimeTasks) -> Mapping[str, Any]:
        kept = keep(stream)
        time.sleep(next(delays))
        return kept

    monkeypatch.setattr(TimeTasks, "keep", keep_slowly)
    config |= {"replication_start_date": "2026-02-10", "report_period": "day"}
    rows, states = set(), 0
    for message in sync(config, ["time_tasks"]).messages:
        if message.record:
            row = message.record.data
            rows.add((row["task_id"], row["currency"], row["period_start"]))
        elif message.state and message.state.stream:
            states += 1
            assert rows <= remembered(vars(message.state.stream.stream_state))
    assert states > 10


def remembered(state: Mapping[str, Any]) -> set[tuple[int, str, str]]:
    """The keys of the rows that a report's state knows."""
    found = set()
    for currency, text in state["subjects"].items():
        for number in unpacked(text):
            id_, day = divmod(number, DAYS)
            found.add((id_, currency, date.fromordinal(day).isoformat()))
    return found


def test_a_subject_is_one_row_on_whichever_pages_its_currencies_stand(harvest: Harvest, config: dict[str, Any]) -> None:
    task = a_task_in_two_currencies(harvest, config)
    harvest.page_size_cap = 1
    result = sync({**config, "replication_start_date": "2026-03-01"}, ["time_tasks"])
    assert {row["total_hours"] for row in result.records("time_tasks") if row["task_id"] == task} == {3.5}


def test_a_row_that_slips_to_the_next_page_counts_once(
    harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = TimeTasks.complete_pages

    def slipping(*args: Any, **kwargs: Any) -> Iterator[Page]:
        for page in read(*args, **kwargs):
            yield replace(page, rows=deepcopy(page.rows))
            yield page

    config |= {"replication_start_date": "2026-01-01"}
    monkeypatch.setattr(TimeTasks, "complete_pages", slipping)
    rows = sync(config, ["time_tasks"]).records("time_tasks")
    expected = reports(harvest, since=date(2026, 1, 1))["time_tasks"]
    assert keyed("time_tasks", rows) == keyed("time_tasks", expected)
    assert len(rows) == len(expected)


def test_a_report_whose_length_is_in_doubt_makes_nothing_zero(harvest: Harvest, config: dict[str, Any]) -> None:
    first = sync(config, ["time_tasks"])
    body = json.dumps({"results": [], "total_entries": 5, "links": {"next": None}})
    harvest.faults.add("/reports/time/tasks", status=200, body=body, times=None)
    assert sync(config, ["time_tasks"], first.state).records("time_tasks") == []
    harvest.faults.clear()
    assert not any(map(is_zero, sync(config, ["time_tasks"], first.state).records("time_tasks")))


# Of what a user does not see.


def told_of_rows_not_shown(caplog: pytest.LogCaptureFixture) -> int:
    """How many lines say that rows keep their last numbers."""
    return sum("They keep their last numbers" in message for message in caplog.messages)


@pytest.mark.parametrize("role", ["member", "manager"])
def test_what_another_user_does_not_see_becomes_no_zero(
    role: str, harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    before = sync(config, ["time_team", "time_tasks"])
    assert told_of_rows_not_shown(caplog) == 0
    config["credentials"]["api_token"] = harvest.token_for(role)
    after = sync(config, ["time_team", "time_tasks"], before.state)
    assert after.counts["time_team"] > 0
    assert {row["user_id"] for row in after.records("time_team")} < {r["user_id"] for r in before.records("time_team")}
    assert not any(map(is_zero, after.records("time_team") + after.records("time_tasks")))
    assert told_of_rows_not_shown(caplog) == 1


def a_manager(harvest: Harvest, config: dict[str, Any], *, of_a_project: bool) -> tuple[int, int]:
    """Lets a manager read. Returns the manager, and somebody whose time the manager sees: in a project, or at all."""
    config["credentials"]["api_token"] = harvest.token_for("manager")
    user = harvest.oauth.user_of(config["credentials"]["api_token"], harvest.clock.now())
    slots = harvest.listed("user_assignments")
    for slot in slots:
        if slot["user"]["id"] == user:
            harvest.update("user_assignments", slot["id"], is_project_manager=of_a_project)
    mates = harvest.state.teammates[user]
    projects = [slot["project"] for slot in slots if slot["user"]["id"] == user and slot["is_active"]]
    others = [slot for slot in slots if slot["user"]["id"] not in (user, *mates) and slot["project"] in projects]
    seen = others[0] if of_a_project else next(slot for slot in slots if slot["user"]["id"] == mates[0])
    an_entry(harvest, "2026-02-10", user_id=seen["user"]["id"], project_id=seen["project"]["id"])
    return user, seen["user"]["id"]


@pytest.mark.parametrize("loss", ["teammate", "project", "role"])
def test_what_a_user_sees_no_longer_becomes_no_zero(
    loss: str, harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """And once an administrator reads, all is right: only what is gone becomes zero."""
    names, administrators = ["time_team", "expenses_team"], deepcopy(config)
    manager, seen = a_manager(harvest, config, of_a_project=loss == "project")
    own = an_entry(harvest, "2026-02-10", user_id=manager)
    first = sync(config, names)
    assert {manager, seen} <= {row["user_id"] for row in first.records("time_team")}
    harvest.delete("time_entries", own)
    if loss == "teammate":
        harvest.state.teammates[manager].remove(seen)
    for slot in harvest.listed("user_assignments"):
        if loss == "project" and slot["user"]["id"] == manager:
            harvest.update("user_assignments", slot["id"], is_project_manager=False)
    harvest.update("users", manager, access_roles=["member" if loss == "role" else "manager"])
    second = sync(config, names, first.state)
    assert seen not in {row["user_id"] for row in second.records("time_team") if row["period_start"] == "2026-02-01"}
    assert not any(map(is_zero, second.records("time_team")))
    assert told_of_rows_not_shown(caplog) == 1
    last = sync(administrators, names, second.state)
    held = {identity("time_team", row): row for s in (first, second, last) for row in s.records("time_team")}
    rows = [keyed("time_team", rows) for rows in (list(held.values()), reports(harvest)["time_team"])]
    held, expected = ({key: row for key, row in found.items() if key[-1] >= "2025-12-01"} for found in rows)
    assert held == expected


def test_reports_of_a_month_come_to_its_time_entries(harvest: Harvest, config: dict[str, Any]) -> None:
    """All of it from the records of one sync, for each client, project, task and person."""
    by = {"time_clients": "client_id", "time_projects": "project_id", "time_tasks": "task_id", "time_team": "user_id"}
    result = sync({**config, "include_fixed_fee": True}, ["time_entries", *by])
    for name, subject in by.items():
        sums: dict[tuple[Any, ...], list[Decimal]] = {}
        for entry in result.records("time_entries"):
            key = (entry[subject], entry["client"]["currency"], entry["spent_date"][:7])
            hours, rate = (Decimal(str(entry[column] or 0)) for column in ("rounded_hours", "billable_rate"))
            total = sums.setdefault(key, [Decimal(0)] * 3)
            total[0] += hours
            total[1] += hours * entry["billable"]
            total[2] += hours * rate * entry["billable"]
        sums = {key: [total.quantize(CENT, ROUND_HALF_UP) for total in totals] for key, totals in sums.items()}
        numbers = ("total_hours", "billable_hours", "billable_amount")
        found = {
            (row[subject], row["currency"], row["period_start"][:7]): [Decimal(str(row[number])) for number in numbers]
            for row in result.records(name)
        }
        assert found == sums != {}, name


def test_expense_reports_of_a_month_come_to_its_expenses(harvest: Harvest, config: dict[str, Any]) -> None:
    by = {
        "expenses_clients": "client_id",
        "expenses_projects": "project_id",
        "expenses_team": "user_id",
        "expenses_categories": "expense_category_id",
    }
    result = sync(config, ["expenses", *by])
    for name, subject in by.items():
        sums: Counter[tuple[Any, ...]] = Counter()
        for expense in result.records("expenses"):
            key = (expense[subject], expense["client"]["currency"], expense["spent_date"][:7])
            sums[key] += Decimal(str(expense["total_cost"]))
        rows = result.records(name)
        found = {
            (row[subject], row["currency"], row["period_start"][:7]): Decimal(str(row["total_amount"])) for row in rows
        }
        assert found == sums != {}, name


# What a killed sync leaves behind.


def is_unfinished(killed: Sync) -> bool:
    return "unfinished" in killed.states["time_clients"]


def test_a_killed_sync_remembers_what_the_periods_still_to_be_read_had(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    config |= {"report_lookback_days": 30}
    task = harvest.add("tasks", name="Short-lived")
    entry = an_entry(harvest, "2026-02-10", task_id=task)
    first = sync(config, ["time_tasks"])
    harvest.delete("time_entries", entry)
    move_to(harvest, "2026-04-06")
    for killed in kills(sync(config, ["time_tasks"], first.state), "time_tasks"):
        last = sync(config, ["time_tasks"], killed.state)
        rows = [row for row in killed.records("time_tasks") + last.records("time_tasks") if row["task_id"] == task]
        assert rows != []
        assert all(map(is_zero, rows))


def test_a_period_that_was_current_when_it_was_read_is_read_again_by_the_sync_that_goes_on(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    config |= {"replication_start_date": "2025-01-01"}
    *_, killed, _ = kills(sync(config, ["time_clients"]), "time_clients")
    move_to(harvest, "2026-04-06")
    spans, _ = asked_by(harvest, config, killed.state)
    changeable = today(harvest) - 90 * DAY
    assert {date(2026, 3, 1), date(2026, 4, 1)} <= {first for first, _ in spans}
    assert len(spans) <= 2 + len(periods(changeable, date(2026, 4, 1), "month")) < 15


def test_a_killed_sync_goes_on_with_the_periods_that_are_missing(harvest: Harvest, config: dict[str, Any]) -> None:
    whole = sync(config, ["time_clients"])
    everything = asked(harvest)
    settled = today(harvest) - 90 * DAY
    for killed in [*kills(whole, "time_clients")][2:-1:5]:
        spans = killed.states["time_clients"]["unfinished"]["spans"]
        done = {p for p in everything for span in spans if span[0] <= str(p[0]) and str(p[1]) <= span[1]}
        done = {period for period in done if period[1] < settled}
        assert done
        harvest.clock.advance(minutes=10)
        asked_now, _ = asked_by(harvest, config, killed.state)
        assert asked_now == [period for period in everything if period not in done]
        assert [request.path for request in harvest.requests].count("/v2/users/me") == 1


def test_what_changed_after_a_kill_is_read_by_the_sync_that_goes_on(harvest: Harvest, config: dict[str, Any]) -> None:
    config |= {"replication_start_date": "2025-01-01", "report_lookback_days": 60, "num_workers": 1}
    *_, killed = kills(sync(config, ["time_projects"]), "time_projects")
    killed = Sync(killed.messages[:-1])
    harvest.clock.advance(minutes=30)
    an_entry(harvest, "2026-01-20", hours=1.25)
    held = killed.records("time_projects") + sync(config, ["time_projects"], killed.state).records("time_projects")
    expected = reports(harvest, since=date(2025, 1, 1))["time_projects"]
    assert keyed("time_projects", held) == keyed("time_projects", expected)


def test_a_start_date_that_moves_back_after_a_kill_leaves_what_was_read(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    an_entry(harvest, "2025-05-01")
    late, early = ({**config, "replication_start_date": day} for day in ("2025-06-01", "2025-05-01"))
    *_, killed, _ = kills(sync(late, ["time_clients"]), "time_clients")
    assert "unfinished" in killed.states["time_clients"]
    missing, _ = asked_by(harvest, late, killed.state)
    spans, _ = asked_by(harvest, early, killed.state)
    assert spans == [(date(2025, 5, 1), date(2025, 5, 31)), *missing]


@pytest.mark.parametrize("beside", ["project_budget", "time_team"])
def test_a_killed_report_goes_on_beside_another_that_had_not_begun(
    beside: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    whole = sync(config, ["time_clients"])
    everything = asked(harvest)
    killed = [*kills(whole, "time_clients")][len(everything) // 2]
    harvest.requests.clear()
    result = sync(config, ["time_clients", beside], killed.state)
    assert result.error is None
    assert len(asked(harvest)) < 0.7 * len(everything)


@pytest.mark.parametrize("names", [["time_clients"], ["time_clients", "time_team"]])
def test_a_killed_sync_that_goes_on_in_the_next_month_reads_that_month_too(
    names: list[str], harvest: Harvest, config: dict[str, Any]
) -> None:
    first = sync(config, names)
    harvest.clock.advance(days=1)
    second = sync(config, names, first.state)
    killed = next(iter(kills(second, "time_clients")))
    assert "unfinished" in killed.states["time_clients"]
    move_to(harvest, "2026-04-15")
    an_entry(harvest, "2026-04-10")
    kept = {state.stream.stream_descriptor.name: state for state in [*first.state, *killed.state]}
    harvest.requests.clear()
    third = sync(config, names, list(kept.values()))
    for name in names:
        assert (date(2026, 4, 1), date(2026, 4, 30)) in asked(harvest, name), name
        assert any(row["period_start"] == "2026-04-01" for row in third.records(name))


def test_rows_that_came_after_the_last_state_of_a_killed_sync_do_not_outlive_their_entries(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    """A destination may keep what was sent after the last state that it was sent."""
    config |= {"num_workers": 1, "replication_start_date": "2026-03-01"}
    first = sync(config, ["time_tasks"])
    task = harvest.add("tasks", name="Short-lived")
    entry = an_entry(harvest, "2026-03-02", task_id=task)
    second = sync(config, ["time_tasks"], first.state)
    cut = next(n for n, m in enumerate(second.messages) if m.record and m.record.data["task_id"] == task)
    killed = Sync(second.messages[: cut + 1])
    harvest.delete("time_entries", entry)
    third = sync(config, ["time_tasks"], killed.state or first.state)
    rows = [row for s in (first, killed, third) for row in s.records("time_tasks") if row["task_id"] == task]
    assert rows[-1]["total_hours"] == 0


def test_a_full_refresh_leaves_no_checkpoint_and_reads_everything(harvest: Harvest, config: dict[str, Any]) -> None:
    first = sync(config, REPORTS)
    again = sync(config, REPORTS, first.state, mode=SyncMode.full_refresh)
    assert again.counts == first.counts
    assert "unfinished" not in str(again.state)


# Manners.


@pytest.mark.parametrize(("percent", "limit", "minutes"), [(None, 100, 31), (50, 50, 61), (1, 1, 3017)])
def test_one_line_says_how_many_requests_all_reports_take_and_how_long_by_the_limit_that_is_used(
    percent: int | None,
    limit: int,
    minutes: int,
    harvest: Harvest,
    config: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(budget, "REQUESTS", 100)
    monkeypatch.setattr("source_harvest.budget.Limit.wait", lambda *_: None)
    monkeypatch.setattr("source_harvest.budget.Limit.take", lambda _: budget.Turn(0.0))
    config |= {"replication_start_date": "2024-03-01", "include_fixed_fee": True}
    refused = state_of("time_team", {"period_end": "2026-01-01T00:00:00Z", "period": "year"})
    caplog.set_level(logging.INFO)
    sync({**config, **({"rate_limit_percent": percent} if percent else {})}, [*REPORTS, "project_budget"], refused)
    planned = sum("/reports/" in request.path for request in harvest.requests)
    lines = [message for message in caplog.messages if "requests for reports" in message]
    told = f"about {minutes} minutes: {planned} requests for reports at {limit} in 15 minutes"
    assert lines == [f"The reports of this sync take {told}"]
    assert planned > 150


@pytest.mark.parametrize(("requests", "minutes"), [(1, 0), (100, 0), (101, 16), (200, 16), (201, 31), (1000, 136)])
def test_as_many_minutes_are_told_as_the_limit_makes_it_take(requests: int, minutes: int) -> None:
    limit = budget.Limit("limit", 100, budget.REPORTS_WINDOW, budget.REPORTS_SLACK, budget.REPORTS_DEFAULT_WAIT)
    assert limit.minutes_for(requests) == minutes


@pytest.mark.parametrize("num_workers", [1, 4])
def test_other_streams_are_read_while_reports_wait_for_their_limit(
    num_workers: int, harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "REQUESTS", 5)
    monkeypatch.setattr(budget, "WINDOW", timedelta(milliseconds=10))
    monkeypatch.setattr(budget, "SLACK", timedelta(0))
    monkeypatch.setattr(budget, "REPORTS_WINDOW", timedelta(seconds=1))
    monkeypatch.setattr(budget, "REPORTS_SLACK", timedelta(0))
    config |= {"num_workers": num_workers, "replication_start_date": "2025-08-01"}
    others = ["clients", "invoices", "invoice_messages", "time_entries", "users"]
    result = sync(config, [*others, "time_clients", "time_tasks"])
    assert result.statuses == dict.fromkeys([*others, "time_clients", "time_tasks"], "COMPLETE")
    paths = [request.path for request in harvest.requests]
    last = max(index for index, path in enumerate(paths) if "/reports/" not in path)
    assert sum("/reports/" in path for path in paths[:last]) <= 5
    at = [request.at for request in harvest.requests if "/reports/" in request.path]
    assert len(at) == 16
    assert all(later - earlier > 0.9 for earlier, later in zip(at, at[5:], strict=False))


@pytest.mark.parametrize("num_workers", [1, 3])
def test_a_429_of_one_report_is_waited_out_by_all(
    num_workers: int, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/reports/", status=429, headers={"retry-after": "70"}, times=num_workers)
    config |= {"num_workers": num_workers, "replication_start_date": "2024-06-01"}
    result = sync(config, ["time_clients", "time_tasks"])
    assert result.error is None
    refused, *later = [request for request in harvest.requests if "/reports/" in request.path]
    assert refused.status == 429
    assert sum(request.at < refused.at + 70 for request in later) <= num_workers - 1  # what was on its way


@pytest.mark.parametrize("num_workers", [1, 4])
def test_reports_do_not_queue_behind_what_hangs_on_all_invoices(
    num_workers: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    """Harvest allows reports beside other requests, so their limit is used from the beginning on."""
    harvest.latency = 0.01
    config |= {"num_workers": num_workers, "replication_start_date": "2025-10-01"}
    for _ in range(60):
        harvest.add("invoices", client_id=harvest.listed("clients")[0]["id"])
    result = sync(config, ["invoice_messages", "invoice_payments", "time_clients"])
    assert result.error is None
    paths = [request.path for request in harvest.requests]
    reports_at = [index for index, path in enumerate(paths) if "/reports/" in path]
    visits_at = [index for index, path in enumerate(paths) if path.endswith(("/messages", "/payments"))]
    assert len(reports_at) == 6
    assert reports_at[-1] < visits_at[len(visits_at) // 2]


def test_other_streams_are_read_while_reports_wait_out_a_429(harvest: Harvest, config: dict[str, Any]) -> None:
    """Another program may use up the limit."""
    harvest.faults.add(path="/reports/", status=429, headers={"retry-after": "3"})
    harvest.latency = 0.02
    others = ["invoice_messages", "invoice_payments", "estimate_messages", "billable_rates", "cost_rates"]
    config |= {"num_workers": 1, "replication_start_date": "2026-01-01"}
    result = sync(config, [*others, "time_clients"])
    assert result.statuses == dict.fromkeys([*others, "time_clients"], "COMPLETE")
    at = [request.at for request in harvest.requests if "/reports/" not in request.path]
    assert max(later - earlier for earlier, later in pairwise(at)) < 1.5


def test_no_more_connections_are_opened_than_there_are_workers(
    harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    connect = HTTPConnection.connect
    monkeypatch.setattr(HTTPConnection, "connect", lambda self: (opened.append(self), connect(self)))
    sync({**config, "num_workers": 1}, REPORTS)
    assert len(harvest.requests) > 100
    assert len(opened) == 1


def test_check_uses_up_none_of_the_hundred_reports(harvest: Harvest, config: dict[str, Any]) -> None:
    assert SourceHarvest().check(LOGGER, config).status.value == "SUCCEEDED"
    assert not [request.path for request in harvest.requests if "/reports/" in request.path]


def test_a_report_that_the_user_may_not_read_fails_alone(harvest: Harvest, config: dict[str, Any]) -> None:
    config["credentials"]["api_token"] = harvest.token_for("member")
    result = sync({**config, "replication_start_date": "2026-01-01"}, [*REPORTS, "project_budget"])
    assert result.statuses == {
        **dict.fromkeys([*REPORTS, "project_budget"], "COMPLETE"),
        "uninvoiced": "INCOMPLETE",
    }
    kind, message = result.errors["uninvoiced"]
    assert kind == "config_error"
    assert message.startswith("Harvest answered 403 (Not authorized!) to the request for reports/uninvoiced.")
    assert "Administrators and Managers with a permission for invoices" in message
    assert set(result.states) == {*REPORTS, "project_budget"} - {"uninvoiced"}


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("start", [{}, {"replication_start_date": "2026-01-01"}])
def test_where_expenses_are_switched_off_all_other_reports_are_whole(
    start: dict[str, str], status: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.modules.discard("expense")
    harvest.module_off_status = status
    result = sync({**config, **start}, REPORTS)
    expenses = {name for name in REPORTS if name.startswith("expenses_")}
    assert set(result.errors) == expenses
    assert all("the module for expenses is switched off" in message for _, message in result.errors.values())
    assert set(result.states) == set(REPORTS) - expenses


def test_a_passing_fault_of_a_report_loses_nothing(harvest: Harvest, config: dict[str, Any], naps: list[float]) -> None:
    for fault in ({"status": 503}, {"kind": "reset"}, {"kind": "cut"}, {"kind": "html"}, {"status": 429}):
        harvest.faults.add(path="/reports/", times=2, **fault)
    result = sync(config, REPORTS)
    expected = tables(harvest)
    assert result.error is None
    for name in REPORTS:
        assert {identity(name, row): row for row in result.records(name)} == {
            identity(name, row): row for row in expected[name]
        }, name


@pytest.mark.parametrize(
    "body",
    [
        {"results": [], "links": {}},
        {"results": None, "links": {"next": None}},
        {"results": [{"client_id": None, "currency": "EUR"}], "links": {"next": None}},
        {"results": [{"client_id": "x", "currency": "EUR"}], "links": {"next": None}},
        {"results": [{"client_id": 1, "currency": 5}], "links": {"next": None}},
        {"results": [{"client_id": 1, "total_hours": None}] * 2, "links": {"next": None}},
        {"results": [{"client_id": 1, "currency": {}}], "links": {"next": None}},
        [],
    ],
)
def test_an_answer_that_is_not_as_documented_is_an_error_or_a_record(
    body: Any, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.faults.add(path="/reports/time/clients$", status=200, body=json.dumps(body), times=None)
    result = sync({**config, "replication_start_date": "2026-03-01"}, ["time_clients", "time_team"])
    assert set(result.states) == {"time_clients", "time_team"} - set(result.errors)
    assert "time_team" not in result.errors
    for kind, message in result.errors.values():
        assert kind == "system_error"
        assert message.startswith("Harvest's answer for ")
