"""The rows of reports can be summed, and come to what the account's time and expenses come to."""

import json
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from emulator import Harvest
from source_harvest.api.list_reader import ListReader
from source_harvest.api.pages import Page
from testing.accounts import an_entry
from testing.comparisons import keyed
from testing.expected_reports import is_zero, reports
from testing.expected_tables import identity, tables
from testing.in_process import sync
from testing.report_syncs import asked
from testing.streams import REPORTS

CENT = Decimal("0.01")


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_a_subject_is_one_row_on_whichever_pages_its_currencies_stand(harvest: Harvest, config: dict[str, Any]) -> None:
    task = a_task_in_two_currencies(harvest, config)
    harvest.page_size_cap = 1
    result = sync({**config, "replication_start_date": "2026-03-01"}, ["time_tasks"])
    assert {row["total_hours"] for row in result.records("time_tasks") if row["task_id"] == task} == {3.5}


def test_a_row_that_slips_to_the_next_page_counts_once(
    harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = ListReader.complete_pages

    def slipping(reader: ListReader, *args: Any, **kwargs: Any) -> Iterator[Page]:
        for page in read(reader, *args, **kwargs):
            if reader._list.name == "time_tasks":
                yield replace(page, rows=deepcopy(page.rows))
            yield page

    config |= {"replication_start_date": "2026-01-01"}
    monkeypatch.setattr(ListReader, "complete_pages", slipping)
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


@pytest.mark.slow
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


@pytest.mark.usefixtures("naps")
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
