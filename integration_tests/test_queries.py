"""The queries of docs/queries.md, taken from the page: they run, and say what a count by hand says."""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import docs
from conftest import config_of
from demo.loader import Warehouse
from emulator import Harvest, Server
from integration_tests.test_duckdb import sync

Row = dict[str, Any]
PAGE = (Path(docs.__path__[0]) / "queries.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"^## (.+?)\n.*?^```sql\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE))
AGES = {"not_due": 0, "late_1_to_30": 30, "late_31_to_60": 60, "late_61_to_90": 90, "late_over_90": 99999}


def agency() -> Harvest:
    """A small agency, two weeks of work after its rows were made."""
    harvest = Harvest(size="xs", seed=0)
    harvest.work(days=14)
    fixed = {project["id"] for project in harvest.listed("projects") if project["is_fixed_fee"]}
    for entry in harvest.listed("time_entries"):
        if entry["project"]["id"] in fixed:
            harvest.update("time_entries", entry["id"], billable_rate=90.0)  # which the fee replaces
    return harvest


@pytest.fixture(scope="module")
def harvest() -> Harvest:
    return agency()


@pytest.fixture(scope="module")
def warehouse(harvest: Harvest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    folder = tmp_path_factory.mktemp("queries")
    with Server(harvest) as server, Warehouse(folder / "warehouse.duckdb") as warehouse:
        sync(folder, config_of(harvest, server), warehouse)
        yield warehouse


def by_id(rows: list[Row]) -> dict[int, Row]:
    return {row["id"]: row for row in rows}


def first_of(day: str, unit: str) -> date:
    """The Monday of the day's week, or the first of its month."""
    found = date.fromisoformat(day)
    return found.replace(day=1) if unit == "month" else found - timedelta(days=found.weekday())


def billed_hours(entry: Row) -> float:
    hours = entry["hours"] if entry["rounded_hours"] is None else entry["rounded_hours"]
    return float(hours)


def assert_same(found: list[Row], expected: list[Row], *key: str) -> None:
    """The same rows, in whatever order; each key has one row."""
    found_by, expected_by = ({tuple(row[name] for name in key): row for row in rows} for rows in (found, expected))
    assert len(found) == len(found_by)
    assert found_by.keys() == expected_by.keys()
    for name, row in expected_by.items():
        assert list(found_by[name]) == list(row)
        for column, value in row.items():
            assert found_by[name][column] == (pytest.approx(value) if isinstance(value, float) else value), column


def utilisation(harvest: Harvest) -> list[Row]:
    hours: dict[int, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    billable: dict[int, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for entry in harvest.listed("time_entries"):
        week = first_of(entry["spent_date"], "week")
        hours[entry["user"]["id"]][week] += entry["hours"]
        billable[entry["user"]["id"]][week] += entry["hours"] if entry["billable"] else 0
    weeks = {week for found in hours.values() for week in found}
    rows = []
    for user in harvest.listed("users"):
        theirs = hours.get(user["id"])
        for week in weeks if theirs and user["weekly_capacity"] else ():
            if week < min(theirs) or (not user["is_active"] and week > max(theirs)):
                continue
            capacity = user["weekly_capacity"] / 3600
            done, paid = theirs.get(week, 0.0), billable[user["id"]].get(week, 0.0)
            who = {"user_id": user["id"], "person": f"{user['first_name']} {user['last_name']}"}
            sums = {"capacity": capacity, "hours": done, "billable_hours": paid}
            percents = {"worked_percent": 100 * done / capacity, "billable_percent": 100 * paid / capacity}
            rows.append({"week": week, **who, **sums, **percents})
    return rows


def realisation(harvest: Harvest) -> list[Row]:
    projects, clients = by_id(harvest.listed("projects")), by_id(harvest.listed("clients"))
    groups: dict[tuple[date, int], list[Row]] = defaultdict(list)
    for entry in harvest.listed("time_entries"):
        if entry["billable"] and not projects[entry["project"]["id"]]["is_fixed_fee"]:
            groups[first_of(entry["spent_date"], "month"), entry["client"]["id"]].append(entry)
    rows = []
    for (month, client_id), entries in groups.items():
        billed = [entry for entry in entries if entry["is_billed"]]
        worth, billed_worth = (
            sum(billed_hours(e) * (e["billable_rate"] or 0) for e in part) for part in (entries, billed)
        )
        client = clients[client_id]
        rows.append(
            {
                "month": month,
                "client_id": client_id,
                "client": client["name"],
                "currency": client["currency"],
                "billable_hours": sum(map(billed_hours, entries)),
                "billed_hours": float(sum(map(billed_hours, billed))),
                "billable_amount": float(worth),
                "billed_amount": float(billed_worth),
                "billed_percent": 100 * billed_worth / worth if worth else None,
            }
        )
    return rows


def not_yet_invoiced(harvest: Harvest) -> list[Row]:
    projects, clients = by_id(harvest.listed("projects")), by_id(harvest.listed("clients"))
    entries = [row for row in harvest.listed("time_entries") if row["billable"] and not row["is_billed"]]
    expenses = [row for row in harvest.listed("expenses") if row["billable"] and not row["is_billed"]]
    rows = []
    for project_id in {row["project"]["id"] for row in [*entries, *expenses]}:
        project = projects[project_id]
        client = clients[project["client"]["id"]]
        time = [entry for entry in entries if entry["project"]["id"] == project_id]
        costs = [expense for expense in expenses if expense["project"]["id"] == project_id]
        priced = [] if project["is_fixed_fee"] else time
        worth = sum(billed_hours(entry) * entry["billable_rate"] for entry in priced if entry["billable_rate"])
        free = sum(billed_hours(entry) for entry in priced if entry["billable_rate"] is None)
        names = {"client": client["name"], "project_id": project_id, "project": project["name"]}
        since = date.fromisoformat(min(row["spent_date"] for row in [*time, *costs]))
        hours = {"hours": float(sum(map(billed_hours, time))), "hours_without_rate": float(free)}
        amounts = {"time_amount": float(worth), "expense_amount": float(sum(row["total_cost"] for row in costs))}
        rows.append({**names, "currency": client["currency"], "since": since, **hours, **amounts})
    return rows


def age_of(days_late: int) -> str:
    return next(age for age, last in AGES.items() if days_late <= last)


def ageing(harvest: Harvest, today: date) -> list[Row]:
    clients = by_id(harvest.listed("clients"))
    groups: dict[tuple[int, str], list[tuple[int, float]]] = defaultdict(list)
    for invoice in harvest.listed("invoices"):
        if invoice["state"] == "open" and invoice["due_amount"]:
            late = (today - date.fromisoformat(invoice["due_date"] or invoice["issue_date"])).days
            groups[invoice["client"]["id"], invoice["currency"]].append((late, invoice["due_amount"]))
    return [
        {
            "client_id": client_id,
            "client": clients[client_id]["name"],
            "currency": currency,
            "invoices": len(found),
            **{age: float(sum(amount for late, amount in found if age_of(late) == age)) for age in AGES},
            "due_amount": sum(amount for _, amount in found),
            "days_late": max(late for late, _ in found),
        }
        for (client_id, currency), found in groups.items()
    ]


def test_every_query_of_the_page_is_tested() -> None:
    assert list(QUERIES) == ["Utilisation", "Realisation", "Work not yet invoiced", "Open invoices by age"]
    assert PAGE.count("```sql") == len(QUERIES)


def test_utilisation(harvest: Harvest, warehouse: Warehouse) -> None:
    found = warehouse.query(QUERIES["Utilisation"])
    assert_same(found, utilisation(harvest), "week", "user_id")
    assert found == sorted(found, key=lambda row: (row["week"], row["person"], row["user_id"]))
    assert {row["hours"] > row["billable_hours"] > 0 for row in found} == {True, False}
    assert 0 in {row["hours"] for row in found}


def test_realisation_keeps_currencies_apart(harvest: Harvest, warehouse: Warehouse) -> None:
    found = warehouse.query(QUERIES["Realisation"])
    assert_same(found, realisation(harvest), "month", "client_id")
    assert {row["currency"] for row in found if row["billed_amount"]} == {"EUR", "GBP"}


def test_work_not_yet_invoiced_keeps_currencies_apart(harvest: Harvest, warehouse: Warehouse) -> None:
    found = warehouse.query(QUERIES["Work not yet invoiced"])
    assert_same(found, not_yet_invoiced(harvest), "project_id")
    assert {row["currency"] for row in found if row["time_amount"]} == {"EUR", "GBP"}
    assert {row["hours_without_rate"] > 0 for row in found} == {True, False}


def test_open_invoices_by_age_on_the_first_and_last_days_of_each_age(harvest: Harvest, warehouse: Warehouse) -> None:
    due = {row["due_date"] for row in harvest.listed("invoices") if row["state"] == "open" and row["due_amount"]}
    seen = set()
    for today in {
        date.fromisoformat(day) + timedelta(days=n) for day in due for n in (-1, 0, 1, 30, 31, 60, 61, 90, 91)
    }:
        found = warehouse.query(QUERIES["Open invoices by age"].replace("current_date", f"DATE '{today}'"))
        assert_same(found, ageing(harvest, today), "client_id", "currency")
        seen |= {age for row in found for age in AGES if row[age]}
    assert seen == AGES.keys()
