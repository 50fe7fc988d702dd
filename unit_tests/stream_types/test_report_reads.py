"""Which periods of a report are read: all of them once, and again as long as they may change."""

from collections import Counter
from datetime import date
from typing import Any

import pytest

from emulator import Harvest
from source_harvest.state.date_range import DateRange
from testing.accounts import an_entry, move_to, without_entries
from testing.expected_reports import DAY, period_of, periods, today
from testing.in_process import kills, sync
from testing.report_syncs import PATHS, asked, asked_by, first_day, is_unfinished
from testing.streams import REPORTS


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["week", "month", "year"])
@pytest.mark.parametrize("name", ["time_clients", "expenses_team", "uninvoiced"])
def test_a_first_sync_reads_each_period_from_that_of_the_first_entry_to_the_current_one(
    name: str, kind: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    lists = {"t": ["time_entries"], "e": ["expenses"], "u": ["time_entries", "expenses"]}[name[0]]
    spans, _ = asked_by(harvest, {**config, "report_period": kind}, name=name)
    assert spans == periods(first_day(harvest, *lists), today(harvest), kind)


@pytest.mark.slow
def test_the_first_day_is_found_with_few_requests_for_one_entry_each(harvest: Harvest, config: dict[str, Any]) -> None:
    sync(config, REPORTS)
    for path in ("/v2/time_entries", "/v2/expenses"):
        queries = [request.query for request in harvest.requests if request.path == path]
        assert all(query.keys() == {"to", "per_page"} and query["per_page"] == "1" for query in queries)
        assert 5 < len(queries) <= 9


@pytest.mark.slow
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
        done = [DateRange.of(ends) for ends in killed.states["time_clients"]["unfinished"]["spans"]]
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


@pytest.mark.slow
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


@pytest.mark.slow
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
