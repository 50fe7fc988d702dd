"""The queries of docs/queries.md, taken from the page: they run, and say what a count by hand says."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

import demo
from demo.loader import Warehouse
from emulator import Harvest, Server
from emulator.account.paid_time_off import balances, holidays_of, hours_on, schedule_of
from source_harvest.streams import STREAMS
from testing.configs import BY_YEAR, config_of
from testing.destinations import DuckDBDestination
from testing.example_queries import EMPTY_VIEW, PAGE, QUERIES, VIEW, agency
from testing.expected_reports import TIME, project_budget
from testing.streams import DELETED, REPORTS, stream_name

Row = dict[str, Any]
AGES = {"not_due": 0, "late_1_to_30": 30, "late_31_to_60": 60, "late_61_to_90": 90, "late_over_90": 99999}

CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def harvest() -> Harvest:
    return agency()


@pytest.fixture(scope="module")
def snapshots() -> list[Row]:
    """The budgets as they stood at each sync."""
    return []


@pytest.fixture(scope="module")
def warehouse(harvest: Harvest, snapshots: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """All tables, with reports by month, and the budgets of some days, the last of them in April."""
    folder = tmp_path_factory.mktemp("queries")
    with Server(harvest) as server, Warehouse(folder / "warehouse.duckdb") as warehouse:
        for days in (0, 2, 12):
            snapshots += project_budget(harvest)
            DuckDBDestination(warehouse).sync(folder, config_of(harvest, server), ["project_budget"])
            harvest.clock.advance(days=days)
            harvest.work()
        snapshots += project_budget(harvest)
        for names in at_most_100_reports():
            DuckDBDestination(warehouse).sync(folder, config_of(harvest, server), names)
        warehouse.query(VIEW)
        yield warehouse


def at_most_100_reports() -> Iterator[list[str]]:
    """All streams in groups, each for a process of its own: together they would wait half an hour for reports."""
    yield [name for name in map(stream_name, STREAMS) if name not in REPORTS]
    for first in range(0, len(REPORTS), 3):
        yield REPORTS[first : first + 3]


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
    """The same rows, in whatever order, as far as the page rounds them; each key has one row."""
    found_by, expected_by = ({tuple(row[name] for name in key): row for row in rows} for rows in (found, expected))
    assert len(found) == len(found_by)
    assert found_by.keys() == expected_by.keys()
    for name, row in expected_by.items():
        assert list(found_by[name]) == list(row)
        for column, value in row.items():
            held = found_by[name][column]
            if isinstance(value, float):
                decimals = 1 if column.endswith("percent") else 2
                assert held == round(held, decimals)
                assert abs(float(held) - value) <= 0.5001 * 10**-decimals, column
            else:
                assert held == value, column


@contextmanager
def undone(warehouse: Warehouse, *statements: str) -> Iterator[None]:
    """Changes of the tables for as long as the block lasts."""
    warehouse.query("BEGIN")
    for statement in statements:
        warehouse.query(statement)
    try:
        yield
    finally:
        warehouse.query("ROLLBACK")


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


def exact_amount(entry: Row, fixed: set[int]) -> float:
    """What an entry comes to in reports; nothing where there is a fixed fee."""
    if not entry["billable"] or entry["project"]["id"] in fixed:
        return 0.0
    return billed_hours(entry) * (entry["billable_rate"] or 0)


def by_month(entries: list[Row], fixed: set[int]) -> float:
    """What they come to where each month is rounded to the cent, as in reports by month."""
    months: dict[date, list[float]] = defaultdict(list)
    for entry in entries:
        months[first_of(entry["spent_date"], "month")].append(exact_amount(entry, fixed))
    return float(sum(Decimal(f"{sum(amounts):.6f}").quantize(CENT, ROUND_HALF_UP) for amounts in months.values()))


def fixed_fee(harvest: Harvest) -> set[int]:
    return {project["id"] for project in harvest.listed("projects") if project["is_fixed_fee"]}


def rate_on(rates: list[Row], day: str) -> float | None:
    """The one that is valid on a day: the last that began by then."""
    begun = [rate for rate in rates if (rate["start_date"] or "") <= day]
    return max(begun, key=lambda rate: rate["start_date"] or "")["amount"] if begun else None


def next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def earned_until(harvest: Harvest, project: Row, day: date) -> float:
    """What a project with a fixed fee has earned by the end of the day before: day by day, or by its invoices."""
    invoices = [row for row in harvest.listed("invoices") if row["state"] != "draft" and row["issue_date"] < str(day)]
    items = [item for invoice in invoices for item in invoice["line_items"] if item["project"]]
    invoiced = sum(item["amount"] for item in items if item["project"]["id"] == project["id"])
    if not (project["fee"] and project["starts_on"] and project["ends_on"]):
        return float(invoiced)
    first, last = date.fromisoformat(project["starts_on"]), date.fromisoformat(project["ends_on"])
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return float(max(invoiced, project["fee"] * sum(it < day for it in days) / len(days)))


def fees(harvest: Harvest) -> dict[tuple[date, int], float]:
    """Month and project -> what a fixed fee earned in the month, in months up to the last one with time or expenses."""
    spent = [row["spent_date"] for name in ("time_entries", "expenses") for row in harvest.listed(name)]
    found = {}
    for project in (row for row in harvest.listed("projects") if row["is_fixed_fee"]):
        month = date(2020, 1, 1)
        while month <= date.fromisoformat(max(spent)):
            following = next_month(month)
            if amount := earned_until(harvest, project, following) - earned_until(harvest, project, month):
                found[month, project["id"]] = amount
            month = following
    return found


def margin(harvest: Harvest) -> list[Row]:
    projects, clients, fixed = by_id(harvest.listed("projects")), by_id(harvest.listed("clients")), fixed_fee(harvest)
    rates = {user["id"]: harvest.children("cost_rates", user["id"]) for user in harvest.listed("users")}
    groups: dict[tuple[date, int], list[Row]] = defaultdict(list)
    spent: dict[tuple[date, int], list[Row]] = defaultdict(list)
    for found, name in ((groups, "time_entries"), (spent, "expenses")):
        for row in harvest.listed(name):
            found[first_of(row["spent_date"], "month"), row["project"]["id"]].append(row)
    earned = fees(harvest)
    rows = []
    for month, project_id in {*groups, *spent, *earned}:
        entries, expenses = groups.get((month, project_id), []), spent.get((month, project_id), [])
        project = projects[project_id]
        currency = clients[project["client"]["id"]]["currency"]
        costs = [(entry["hours"], rate_on(rates[entry["user"]["id"]], entry["spent_date"])) for entry in entries]
        billed = [row["total_cost"] for row in expenses if row["billable"] and project_id not in fixed]
        amount = float(sum(exact_amount(entry, fixed) for entry in entries) + sum(billed))
        amount += earned.get((month, project_id), 0.0)
        cost = float(sum(hours * (rate or 0) for hours, rate in costs))
        paid = float(sum(row["total_cost"] for row in expenses))
        rows.append(
            {
                "month": month,
                "project_id": project_id,
                "project": project["name"],
                "currency": currency,
                "cost_currency": "EUR",
                "hours": float(sum(entry["hours"] for entry in entries)),
                "amount": amount,
                "cost": cost,
                "cost_by_entries": float(sum(entry["hours"] * (entry["cost_rate"] or 0) for entry in entries)),
                "expenses": paid,
                "hours_without_cost": float(sum(hours for hours, rate in costs if rate is None)),
                "margin": amount - cost - paid if currency == "EUR" else None,
            }
        )
    return rows


def margin_in_total(harvest: Harvest) -> list[Row]:
    clients, fixed = by_id(harvest.listed("clients")), fixed_fee(harvest)
    rates = {user["id"]: harvest.children("cost_rates", user["id"]) for user in harvest.listed("users")}
    rows = []
    for project in harvest.listed("projects"):
        id_, currency = project["id"], clients[project["client"]["id"]]["currency"]
        entries, expenses = (
            [row for row in harvest.listed(name) if row["project"]["id"] == id_]
            for name in ("time_entries", "expenses")
        )
        if not entries and not expenses:
            continue
        sums = {
            "fee": float(project["fee"] if id_ in fixed else 0),
            "time_amount": float(sum(exact_amount(entry, fixed) for entry in entries)),
            "expense_amount": float(sum(row["total_cost"] for row in expenses if row["billable"])),
            "time_cost": float(
                sum(e["hours"] * (rate_on(rates[e["user"]["id"]], e["spent_date"]) or 0) for e in entries)
            ),
            "expense_cost": float(sum(row["total_cost"] for row in expenses)),
        }
        left = sums["fee"] + sums["time_amount"] + sums["expense_amount"] - sums["time_cost"] - sums["expense_cost"]
        rows.append(
            {
                "project_id": id_,
                "project": project["name"],
                "currency": currency,
                "cost_currency": "EUR",
                "hours": float(sum(entry["hours"] for entry in entries)),
                **sums,
                "margin": left if currency == "EUR" else None,
            }
        )
    return rows


def hours_per_client(harvest: Harvest) -> list[Row]:
    groups: dict[tuple[date, int], list[Row]] = defaultdict(list)
    for entry in harvest.listed("time_entries"):
        groups[first_of(entry["spent_date"], "month"), entry["client"]["id"]].append(entry)
    names = {client["id"]: client["name"] for client in harvest.listed("clients")}
    return [
        {
            "month": month,
            "client_id": client_id,
            "client": names[client_id],
            "hours": float(sum(entry["hours"] for entry in entries)),
            "billable_hours": float(sum(entry["hours"] for entry in entries if entry["billable"])),
            "people": len({entry["user"]["id"] for entry in entries}),
        }
        for (month, client_id), entries in groups.items()
    ]


def burned(snapshots: list[Row]) -> list[Row]:
    rows = []
    spent: dict[tuple[int, str], float] = {}
    for budget in sorted(snapshots, key=lambda row: row["snapshot_date"]):
        key = (budget["project_id"], budget["snapshot_date"][:7] if budget["budget_is_monthly"] else "")
        before = spent.get(key, 0.0 if budget["budget_is_monthly"] else None)
        spent[key] = budget["budget_spent"]
        rows.append(
            {
                "snapshot_date": date.fromisoformat(budget["snapshot_date"]),
                "project_id": budget["project_id"],
                "project": budget["project_name"],
                "budget_by": budget["budget_by"],
                **{name: budget[name] and float(budget[name]) for name in ("budget", "budget_spent")},
                "spent_percent": 100 * budget["budget_spent"] / budget["budget"] if budget["budget"] else None,
                "spent_since": None if before is None else budget["budget_spent"] - before,
            }
        )
    return rows


def years(harvest: Harvest) -> list[Row]:
    fixed = fixed_fee(harvest)
    groups: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for entry in harvest.listed("time_entries"):
        groups[entry["spent_date"][:4], entry["client"]["id"]].append(entry)
    return [
        {
            "year": date(int(year), 1, 1),
            "client_id": client_id,
            "client": entries[0]["client"]["name"],
            "currency": entries[0]["client"]["currency"],
            "hours": float(sum(map(billed_hours, entries))),
            "billable_hours": float(sum(billed_hours(entry) for entry in entries if entry["billable"])),
            "billable_amount": by_month(entries, fixed),
        }
        for (year, client_id), entries in groups.items()
    ]


def reported_as_open(harvest: Harvest) -> list[Row]:
    """Of every billable project what is not invoiced of its work, or of its fee."""
    fixed, rows = fixed_fee(harvest), []
    items = [item for invoice in harvest.listed("invoices") for item in invoice["line_items"] if item["project"]]
    for project in (row for row in harvest.listed("projects") if row["is_billable"]):
        time, costs = (
            [
                row
                for row in harvest.listed(name)
                if row["project"]["id"] == project["id"] and row["billable"] and not row["is_billed"]
            ]
            for name in ("time_entries", "expenses")
        )
        fee = (project["fee"] or 0) - sum(i["amount"] for i in items if i["project"]["id"] == project["id"])
        work = fee if project["id"] in fixed else by_month(time, fixed)
        rows.append(
            {
                "project_id": project["id"],
                "project": project["name"],
                "currency": project["currency"],
                "hours": float(sum(map(billed_hours, time))),
                "work_amount": float(work),
                "expense_amount": float(sum(row["total_cost"] for row in costs)),
            }
        )
    return rows


def test_every_query_of_the_page_is_tested() -> None:
    assert list(QUERIES) == [
        "Rows that are still there",
        "Rows that came back",
        "Hours per client and month",
        "Utilisation",
        "Utilisation net of time off",
        "Time off taken and left",
        "Who is off in the next four weeks",
        "Time not yet submitted",
        "Realisation",
        "Work not yet invoiced",
        "Open invoices by age",
        "Margin",
        "Margin per project in total",
        "Budgets over time",
        "A year of reports",
        "Not yet invoiced by the report",
        "Reports against time entries",
    ]
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


def test_margin_takes_the_cost_rate_of_the_day(harvest: Harvest, warehouse: Warehouse) -> None:
    found = warehouse.query(QUERIES["Margin"])
    assert_same(found, margin(harvest), "month", "project_id")
    assert {row["cost"] == row["cost_by_entries"] for row in found} == {True, False}
    assert {row["hours_without_cost"] > 0 for row in found} == {True, False}
    assert {(row["currency"], row["margin"] is None) for row in found} == {("EUR", False), ("GBP", True)}
    with undone(warehouse, "UPDATE company SET currency = 'GBP'"):
        in_pounds = [row for row in warehouse.query(QUERIES["Margin"]) if row["currency"] == "GBP"]
    assert {row["margin"] is None for row in in_pounds} == {False}


def test_margin_spreads_a_fixed_fee_over_its_days_or_takes_what_was_invoiced(
    harvest: Harvest, warehouse: Warehouse
) -> None:
    [project, *_] = [row for row in harvest.listed("projects") if row["id"] in fixed_fee(harvest)]

    def amounts(**values: Any) -> dict[date, float]:
        column = ", ".join(f"{name} = {'NULL' if value is None else repr(value)}" for name, value in values.items())
        with undone(warehouse, f"UPDATE projects SET {column} WHERE id = {project['id']}"):
            found = warehouse.query(QUERIES["Margin"])
        return {row["month"]: row["amount"] for row in found if row["project_id"] == project["id"] and row["amount"]}

    said = f"INSERT INTO deleted_records (stream, record_id, is_deleted) VALUES ('projects', {project['id']}, true)"
    with undone(warehouse, said):
        found = [row for row in warehouse.query(QUERIES["Margin"]) if row["project_id"] == project["id"]]
    assert {row["amount"] for row in found} == {0}
    spread = amounts(fee=31000.0, starts_on="2026-02-15", ends_on="2026-03-17")
    invoiced = sum(amounts(fee=None).values())
    assert 0 < invoiced < 14000
    assert spread[date(2026, 3, 1)] == pytest.approx(17000)  # 17 of 31 days, at 1000 a day
    assert sum(spread.values()) == pytest.approx(31000)
    assert sum(amounts(fee=31000.0, starts_on="2026-02-15", ends_on=None).values()) == pytest.approx(invoiced)
    assert sum(amounts(fee=0.01, starts_on="2024-05-01", ends_on="2024-05-01").values()) == pytest.approx(invoiced)


def net_utilisation(harvest: Harvest) -> list[Row]:
    leave: dict[tuple[int, str], float] = defaultdict(float)
    for request in harvest.listed("pto_requests"):
        for day in request["request_days"] if request["status"] == "approved" else ():
            leave[request["user"]["id"], day["date"]] += day["hours"]
    rows = []
    for row in utilisation(harvest):
        user_id, days = row["user_id"], [row["week"] + timedelta(days=n) for n in range(7)]
        schedule, holidays = schedule_of(harvest.state, user_id), holidays_of(harvest.state, user_id)
        hours = {str(day): hours_on(schedule, day) for day in days}
        net = sum(max(h - leave[user_id, day], 0.0) for day, h in hours.items() if day not in holidays)
        sums = {"capacity": sum(hours.values()), "net_capacity": float(net)}
        percents = {
            f"{kind}_percent": 100 * row[column] / net if net else None
            for kind, column in (("worked", "hours"), ("billable", "billable_hours"))
        }
        who = {name: row[name] for name in ("week", "user_id", "person")}
        rows.append({**who, **sums, "hours": row["hours"], "billable_hours": row["billable_hours"], **percents})
    return rows


def test_utilisation_net_of_leave_and_holidays(harvest: Harvest, warehouse: Warehouse) -> None:
    found = warehouse.query(QUERIES["Utilisation net of time off"])
    assert_same(found, net_utilisation(harvest), "week", "user_id")
    assert {row["net_capacity"] < row["capacity"] for row in found} == {True, False}
    assert {row["net_capacity"] for row in found} >= {0.0, 40.0}
    assert {row["capacity"] for row in found} >= {40.0, 32.0, 35.0}


def test_who_has_no_work_schedule_is_there_for_a_fifth_of_the_capacity_each_weekday(warehouse: Warehouse) -> None:
    with undone(warehouse, "DELETE FROM pto_assignments"):
        found = warehouse.query(QUERIES["Utilisation net of time off"])
        whole = {(row["week"], row["user_id"]): row for row in warehouse.query(QUERIES["Utilisation"])}
    for row in found:
        assert float(row["capacity"]) == pytest.approx(float(whole[row["week"], row["user_id"]]["capacity"]))


def test_leave_that_was_deleted_is_not_taken_off(harvest: Harvest, warehouse: Warehouse) -> None:
    before = warehouse.query(QUERIES["Utilisation net of time off"])
    ids = "SELECT id FROM pto_request_days"
    columns = "stream, record_id, detected_at, is_deleted"
    statement = f"INSERT INTO deleted_records ({columns}) SELECT 'pto_request_days', id, now(), true FROM ({ids})"
    with undone(warehouse, statement):
        after = warehouse.query(QUERIES["Utilisation net of time off"])
        off = warehouse.query(QUERIES["Who is off in the next four weeks"].replace("current_date", "DATE '2026-03-20'"))
    assert sum(row["net_capacity"] for row in after) > sum(row["net_capacity"] for row in before)
    assert {row["status"] for row in off} <= {"holiday"}


def names_of(harvest: Harvest) -> dict[int, str]:
    return {user["id"]: f"{user['first_name']} {user['last_name']}" for user in harvest.listed("users")}


def test_time_off_taken_and_left(harvest: Harvest, warehouse: Warehouse) -> None:
    day = harvest.clock.now().date()
    rows = []
    for user_id, person in names_of(harvest).items():
        for balance in balances(harvest.state, user_id, 2026, str(day))["balances"]:
            days = {f"{kind}_days": balance[f"{kind}_days"] for kind in ("available", "used", "pending", "remaining")}
            who = {"user_id": user_id, "person": person, "time_off": balance["pto_type"]["name"]}
            numbers = {name: value if value is None else float(value) for name, value in days.items()}
            rows.append({**who, "year": 2026, "snapshot_date": day, **numbers})
    found = warehouse.query(QUERIES["Time off taken and left"])
    assert_same(found, rows, "user_id", "time_off")
    assert {row["remaining_days"] is None for row in found} == {True, False}
    assert {row["used_days"] > 0 for row in found} == {row["pending_days"] > 0 for row in found} == {True, False}


@pytest.mark.parametrize("today", [date(2026, 3, 3), date(2026, 4, 4), date(2026, 12, 1)])
def test_who_is_off_in_the_next_four_weeks(today: date, harvest: Harvest, warehouse: Warehouse) -> None:
    names, last = names_of(harvest), today + timedelta(days=27)
    rows = []
    for request in harvest.listed("pto_requests"):
        for day in request["request_days"]:
            if request["status"] in {"approved", "pending"} and str(today) <= day["date"] <= str(last):
                reason = {"reason": request["pto_type"]["name"], "status": request["status"], "hours": day["hours"]}
                rows.append((date.fromisoformat(day["date"]), request["user"]["id"], reason))
    calendars = by_id(harvest.listed("pto_holiday_calendars"))
    for user in (row for row in harvest.listed("users") if row["is_active"]):
        calendar, _ = harvest.state.time_off_of[user["id"]]
        for entry in calendars[calendar]["entries"] if calendar else ():
            if str(today) <= entry["date"] <= str(last):
                reason = {"reason": entry["name"], "status": "holiday", "hours": None}
                rows.append((date.fromisoformat(entry["date"]), user["id"], reason))
    expected = [{"day": day, "user_id": user, "person": names[user], **why} for day, user, why in rows]
    found = warehouse.query(QUERIES["Who is off in the next four weeks"].replace("current_date", f"DATE '{today}'"))

    def key(row: Row) -> str:
        return str(list(row.values()))

    assert sorted(found, key=key) == sorted(expected, key=key) != []


def test_time_not_yet_submitted_is_of_the_week_before_this_one(harvest: Harvest, warehouse: Warehouse) -> None:
    sql = QUERIES["Time not yet submitted"].replace("current_date", "DATE '2026-03-15'")  # a Sunday
    first, last = date(2026, 3, 2), date(2026, 3, 8)
    entries = [row for row in harvest.listed("time_entries") if str(first) <= row["spent_date"] <= str(last)]
    rows = []
    for user in (row for row in harvest.listed("users") if row["is_active"]):
        theirs = [row for row in entries if row["user"]["id"] == user["id"]]
        capacity, hours = user["weekly_capacity"] / 3600, float(sum(row["hours"] for row in theirs))
        open_hours = float(sum(row["hours"] for row in theirs if row["approval_status"] == "unsubmitted"))
        if hours < capacity or open_hours:
            who = {"week": first, "user_id": user["id"], "person": f"{user['first_name']} {user['last_name']}"}
            missing = {"hours": hours, "hours_missing": max(capacity - hours, 0.0), "unsubmitted_hours": open_hours}
            rows.append({**who, "capacity": capacity, **missing})
    assert_same(warehouse.query(sql), rows, "user_id")
    assert rows
    with undone(warehouse, "UPDATE time_entries SET approval_status = 'submitted', hours = hours * 10"):
        left = warehouse.query(sql)
    assert {row["unsubmitted_hours"] for row in left} <= {0}
    assert len(left) < len(rows)


def test_margin_in_total_counts_fees_and_expenses(harvest: Harvest, warehouse: Warehouse) -> None:
    found = warehouse.query(QUERIES["Margin per project in total"])
    assert_same(found, margin_in_total(harvest), "project_id")
    assert {row["fee"] > 0 for row in found} == {True, False}
    assert {row["expense_cost"] > row["expense_amount"] for row in found} == {True, False}
    assert {(row["currency"], row["margin"] is None) for row in found} == {("EUR", False), ("GBP", True)}


def test_hours_per_client_and_month(harvest: Harvest, warehouse: Warehouse) -> None:
    found = warehouse.query(QUERIES["Hours per client and month"])
    assert_same(found, hours_per_client(harvest), "month", "client_id")
    assert {row["hours"] > row["billable_hours"] for row in found} == {True, False}


# Reports have no deleted rows, and the histories of budgets and balances keep them. Time off is tested above.
OF_ROWS_THAT_MAY_BE_GONE = QUERIES.keys() - {
    "Rows that came back",
    "Time off taken and left",
    "Who is off in the next four weeks",
    "Budgets over time",
    "A year of reports",
    "Not yet invoiced by the report",
}


@pytest.mark.parametrize("title", QUERIES)
def test_a_query_leaves_deleted_rows_out_and_runs_without_deleted_records(title: str, warehouse: Warehouse) -> None:
    """With the first half of the facts reported as deleted, it says what it says without them."""
    sql = QUERIES[title].replace("current_date", "DATE '2026-03-10'")
    view, _, rest = sql.rpartition(";")
    sql = rest if view else sql
    tables = ("time_entries", "expenses", "invoices", "invoice_line_items", "pto_request_days", "pto_holidays")
    middle = {name: warehouse.query(f"SELECT median(id) AS id FROM {name}")[0]["id"] for name in tables}
    said = [
        f"INSERT INTO deleted_records (stream, record_id, detected_at, is_deleted) "
        f"SELECT '{name}', id, now(), true FROM {name} WHERE id < {middle[name]}"
        for name in tables
    ]
    gone = [f"DELETE FROM {name} WHERE id < {middle[name]}" for name in tables]
    with undone(warehouse, *said):
        found = warehouse.query(sql)
    with undone(warehouse, EMPTY_VIEW):
        everything = warehouse.query(sql)
        assert warehouse.query("FROM gone_records") == []
    with undone(warehouse, EMPTY_VIEW, *gone):
        assert found == warehouse.query(sql)
    assert (found != everything) is (title in OF_ROWS_THAT_MAY_BE_GONE)


def test_budgets_over_time(snapshots: list[Row], warehouse: Warehouse) -> None:
    found = warehouse.query(QUERIES["Budgets over time"])
    assert_same(found, burned(snapshots), "project_id", "snapshot_date")
    assert len({row["snapshot_date"] for row in found}) == 4
    assert len({row["snapshot_date"].month for row in found}) == 2
    assert {row["spent_since"] is None for row in found} == {True, False}
    assert {row["budget_by"] for row in found if row["spent_since"]} >= {"project", "task_fees"}


def test_a_year_of_reports(harvest: Harvest, warehouse: Warehouse) -> None:
    found = warehouse.query(QUERIES["A year of reports"])
    assert_same(found, years(harvest), "year", "client_id", "currency")
    assert {row["currency"] for row in found if row["billable_amount"]} == {"EUR", "GBP"}
    assert len(warehouse.rows("time_clients")) > 2 * len(found)


def test_what_is_not_invoiced_by_the_report_counts_a_fee_once(harvest: Harvest, warehouse: Warehouse) -> None:
    found = warehouse.query(QUERIES["Not yet invoiced by the report"])
    assert_same(found, reported_as_open(harvest), "project_id", "currency")
    fixed = fixed_fee(harvest)
    assert {bool(row["work_amount"]) for row in found if row["project_id"] in fixed} == {True}
    assert len({row["period_start"] for row in warehouse.rows("uninvoiced")}) > 20


def test_reports_and_time_entries_agree(warehouse: Warehouse) -> None:
    """To the cent, with the rates of this account; and in each period there is something to compare."""
    assert warehouse.query(QUERIES["Reports against time entries"]) == []
    strict = QUERIES["Reports against time entries"].replace("> 0.005 * (coalesce(counted.entries, 0) + 1)", "> 0.0051")
    assert strict != QUERIES["Reports against time entries"]
    assert warehouse.query(strict) == []


def test_an_entry_that_is_not_as_reported_shows_in_all_four_reports(harvest: Harvest, warehouse: Warehouse) -> None:
    fixed = fixed_fee(harvest)
    entry = next(row for row in harvest.listed("time_entries") if exact_amount(row, fixed))
    month, currency = first_of(entry["spent_date"], "month"), entry["client"]["currency"]
    ids = {
        "time_clients": entry["client"]["id"],
        "time_projects": entry["project"]["id"],
        "time_tasks": entry["task"]["id"],
        "time_team": entry["user"]["id"],
    }
    for change in (
        f"UPDATE time_entries SET rounded_hours = rounded_hours + 0.01 WHERE id = {entry['id']}",
        f"UPDATE time_entries SET billable = false WHERE id = {entry['id']}",
        f"UPDATE time_entries SET billable_rate = billable_rate + 9 WHERE id = {entry['id']}",
        f"DELETE FROM time_entries WHERE id = {entry['id']}",
    ):
        with undone(warehouse, change):
            found = warehouse.query(QUERIES["Reports against time entries"])
        assert {row["report"]: row["subject_id"] for row in found} == ids
        assert {(row["period_start"], row["currency"]) for row in found} == {(month, currency)}
        assert len(found) == 4
    moved = (
        f"UPDATE time_entries SET spent_date = DATE '{date.fromisoformat(entry['spent_date']) - timedelta(days=31)}'"
    )
    with undone(warehouse, f"{moved} WHERE id = {entry['id']}"):
        assert len(warehouse.query(QUERIES["Reports against time entries"])) == 8


@pytest.mark.parametrize("report", ["time_clients", "time_team"])
def test_a_month_that_a_report_lacks_is_a_difference(report: str, warehouse: Warehouse) -> None:
    months = sorted({row["period_start"] for row in warehouse.rows(report)})
    lacking = months[len(months) // 2]
    rows = [row for row in warehouse.rows(report) if row["period_start"] == lacking]
    with undone(warehouse, f"DELETE FROM {report} WHERE period_start = DATE '{lacking}'"):
        found = warehouse.query(QUERIES["Reports against time entries"])
    expected = sorted((row[f"{'client' if report == 'time_clients' else 'user'}_id"], row["currency"]) for row in rows)
    assert [(row["subject_id"], row["currency"]) for row in found] == expected
    assert {(row["report"], row["reported_hours"]) for row in found} == {(report, 0)}


def test_rows_that_are_gone_are_left_out_and_rows_that_came_back_are_not(tmp_path: Path) -> None:
    harvest = agency()
    names = ["clients", "projects", "time_entries", *TIME, DELETED]
    for id_ in list(harvest.state.running):  # whose hours would grow from one sync to the next
        harvest.delete("time_entries", id_)
    with Server(harvest) as server, Warehouse(tmp_path / "warehouse.duckdb") as warehouse:
        config = config_of(harvest, server) | BY_YEAR
        DuckDBDestination(warehouse).sync(tmp_path, config, names)
        idle = [row for row in harvest.listed("time_entries") if not row["is_locked"]]
        gone, back = [row["id"] for row in idle[:3]], idle[3]["id"]
        kept_row = harvest.state.row("time_entries", back)
        for id_ in [*gone, back]:
            harvest.delete("time_entries", id_)
        harvest.clock.advance(days=1)
        DuckDBDestination(warehouse).sync(tmp_path, config, names)
        assert {row["record_id"] for row in warehouse.rows(DELETED)} == {*gone, back}
        harvest.state.put("time_entries", kept_row)
        harvest.clock.advance(days=1)
        DuckDBDestination(warehouse).sync(tmp_path, config, names)

        warehouse.query(VIEW)
        assert warehouse.query(QUERIES["Reports against time entries"]) == []
        with undone(warehouse, "DELETE FROM deleted_records"):
            assert len(warehouse.query(QUERIES["Reports against time entries"])) > 3

        kept: dict[int, list[Row]] = defaultdict(list)
        for entry in harvest.listed("time_entries"):
            kept[entry["client"]["id"]].append(entry)
        expected = [
            {"client_id": id_, "client": entries[0]["client"]["name"], "entries": len(entries)}
            | {"hours": float(sum(entry["hours"] for entry in entries))}
            for id_, entries in kept.items()
        ]
        assert_same(warehouse.query(QUERIES["Rows that are still there"]), expected, "client_id")
        assert {row["record_id"] for row in warehouse.query("FROM gone_records")} == {*gone}
        came_back = {"stream": "time_entries", "record_id": back, "detected_on": harvest.clock.now().date()}
        assert warehouse.query(QUERIES["Rows that came back"]) == [came_back]


def test_the_margin_of_the_demo_is_that_of_the_page(harvest: Harvest, warehouse: Warehouse) -> None:
    found = warehouse.query((Path(demo.__path__[0]) / "sql" / "margin.sql").read_text(encoding="utf-8"))
    client_of = {project["id"]: project["client"]["name"] for project in harvest.listed("projects")}
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for row in margin(harvest):
        if date(2026, 1, 1) <= row["month"] <= date(2026, 3, 1) and row["margin"] is not None:
            costs = row["cost"] + row["expenses"]
            for position, value in enumerate((row["hours"], row["amount"], costs)):
                sums[client_of[row["project_id"]]][position] += value
    expected = {client: pytest.approx(found) for client, found in sums.items() if found[1]}
    assert {row["client"]: [row["hours"], row["amount"], row["cost_amount"]] for row in found} == expected
    assert len(found) > 1
    for row in found:
        assert row["margin_amount"] == pytest.approx(row["amount"] - row["cost_amount"])
        assert row["margin_percent"] == pytest.approx(100 * row["margin_amount"] / row["amount"])
