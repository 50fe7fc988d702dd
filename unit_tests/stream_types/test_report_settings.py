"""Settings that change what a row of a report means: a change is an error, and weeks are the company's."""

from datetime import date
from typing import Any

import pytest

from emulator import Harvest
from testing.comparisons import keyed
from testing.expected_reports import reports
from testing.in_process import sync
from testing.report_syncs import asked, asked_by
from testing.streams import REPORTS


@pytest.mark.slow
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
        assert f"include_fixed_fee changed from {words[before]} to {words[now]}. Rows of {name} that" in message
        assert name not in result.counts | result.states
    expected = reports(harvest, since=date(2025, 1, 1), include_fixed_fee=now)
    cleared = sync({**config, "include_fixed_fee": now}, names)
    for name in names:
        assert keyed(name, cleared.records(name)) == keyed(name, expected[name])


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "rest"), [("day", "day"), ("week", "week from Monday"), ("year", "year")])
def test_a_changed_kind_of_period_is_an_error_that_names_both(
    kind: str, rest: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    state = sync({**config, "report_period": "month"}, ["time_tasks", "project_budget"]).state
    result = sync({**config, "report_period": kind}, ["time_tasks", "project_budget"], state)
    failure, message = result.errors["time_tasks"]
    assert failure == "config_error"
    assert f"The report period of time_tasks changed from month to {rest}. " in message
    assert result.statuses == {"time_tasks": "INCOMPLETE", "project_budget": "COMPLETE"}
    assert "time_tasks" not in result.counts
    assert "time_tasks" not in result.states
    assert sync({**config, "report_period": kind}, ["time_tasks"]).error is None


def test_a_company_that_begins_its_weeks_on_another_day_is_an_error(harvest: Harvest, config: dict[str, Any]) -> None:
    config |= {"report_period": "week", "replication_start_date": "2026-01-01"}
    state = sync(config, ["time_tasks"]).state
    harvest.week_start_day = "Sunday"
    kind, message = sync(config, ["time_tasks"], state).errors["time_tasks"]
    assert (kind, "changed from week from Monday to week from Sunday" in message) == ("config_error", True)


@pytest.mark.slow
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
