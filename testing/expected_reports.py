"""What Harvest's reports come to, reckoned from an emulated account's time, expenses, projects and invoices.

By the rules that Harvest documents, and without looking at how the emulator or the connector do it.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from emulator import Harvest

Row = dict[str, Any]

DAY = timedelta(days=1)

# Report -> the object in an entry that it counts by.
TIME = {"time_clients": "client", "time_projects": "project", "time_tasks": "task", "time_team": "user"}
EXPENSES = {
    "expenses_clients": "client",
    "expenses_projects": "project",
    "expenses_categories": "expense_category",
    "expenses_team": "user",
}
SUBJECTS = {**{name: f"{counted}_id" for name, counted in {**TIME, **EXPENSES}.items()}, "uninvoiced": "project_id"}


def today(harvest: Harvest, zone: str = "Europe/Berlin") -> date:
    """Where the emulated administrator is."""
    return harvest.clock.now().astimezone(ZoneInfo(zone)).date()


def begins(day: date, kind: str, week_start: str) -> bool:
    """Whether a period begins on a day. Half a leap year is a period, as 366 days are more than Harvest takes."""
    return {
        "day": True,
        "week": f"{day:%A}" == week_start,
        "month": day.day == 1,
        "year": (day.day, day.month) == (1, 1) or ((day.day, day.month) == (1, 7) and isleap(day.year)),
    }[kind]


@cache
def period_of(day: date, kind: str, week_start: str = "Monday") -> tuple[date, date]:
    """The first and the last day of the period that a day is in."""
    first, last = day, day
    while not begins(first, kind, week_start):
        first -= DAY
    while not begins(last + DAY, kind, week_start):
        last += DAY
    return first, last


def periods(first: date, last: date, kind: str, week_start: str = "Monday") -> list[tuple[date, date]]:
    """The periods that have any of these days, in their order."""
    days = ((first + n * DAY) for n in range((last - first).days + 1))
    return list(dict.fromkeys(period_of(day, kind, week_start) for day in days))


def reports(
    harvest: Harvest,
    kind: str = "month",
    *,
    week_start: str = "Monday",
    since: date | None = None,
    include_fixed_fee: bool | None = None,
) -> dict[str, list[Row]]:
    """Report -> its rows, for an administrator, from the period with a day on, or from the first entry on."""
    entries, expenses, projects = (harvest.listed(name) for name in ("time_entries", "expenses", "projects"))
    fixed = {project["id"] for project in projects if project["is_fixed_fee"]}
    worth = frozenset() if include_fixed_fee else fixed
    spent = [date.fromisoformat(row["spent_date"]) for row in (*entries, *expenses)]
    found: dict[str, list[Row]] = {name: [] for name in SUBJECTS}
    for period in periods(since or min(spent, default=today(harvest)), today(harvest), kind, week_start):
        days = {"period_start": period[0].isoformat(), "period_end": period[1].isoformat()}
        time = [row for row in entries if days["period_start"] <= row["spent_date"] <= days["period_end"]]
        costs = [row for row in expenses if days["period_start"] <= row["spent_date"] <= days["period_end"]]
        for name, counted in TIME.items():
            groups = _grouped(time, counted).values()
            found[name] += [{**_subject(harvest, name, rows[0]), **_hours(rows, worth), **days} for rows in groups]
        for name, counted in EXPENSES.items():
            groups = _grouped(costs, counted).values()
            found[name] += [{**_subject(harvest, name, rows[0]), **_money(rows), **days} for rows in groups]
        for project in projects:
            if project["is_billable"]:
                row = _uninvoiced(harvest, project, time, costs, counts_fees=include_fixed_fee is not False)
                found["uninvoiced"].append({**row, **days})
    return found


def project_budget(harvest: Harvest) -> list[Row]:
    """How each budget stands now: in hours or in money, of all time or of this month."""
    entries, expenses = harvest.listed("time_entries"), harvest.listed("expenses")
    found = []
    for project in harvest.listed("projects"):
        if project["budget_by"] == "none":
            continue
        month = f"{harvest.clock.now():%Y-%m}" if project["budget_is_monthly"] else ""
        time, costs = (
            [row for row in rows if row["project"]["id"] == project["id"] and row["spent_date"].startswith(month)]
            for rows in (entries, expenses)
        )
        if project["budget_by"] in ("project_cost", "task_fees"):
            budget = project["cost_budget"]
            spent = _worth(time) + (_sum(costs, "total_cost") if project["cost_budget_include_expenses"] else 0)
        else:
            budget, spent = project["budget"], _sum(time, "rounded_hours")
        found.append(
            {
                **_named(project),
                **{key: project[key] for key in ("budget_is_monthly", "budget_by", "is_active")},
                "budget": _cents(_exact(budget)),
                "budget_spent": _cents(spent),
                "budget_remaining": _cents(_exact(budget) - spent),
                "snapshot_date": today(harvest).isoformat(),
            }
        )
    return found


def _grouped(rows: Iterable[Row], counted: str) -> dict[tuple[int, str], list[Row]]:
    """Rows by their subject and the currency of their client."""
    found: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row[counted]["id"], row["client"]["currency"]), []).append(row)
    return found


def _subject(harvest: Harvest, name: str, entry: Row) -> Row:
    """The columns that say whom or what a row is about."""
    counted = {**TIME, **EXPENSES}[name]
    found = {f"{counted}_id": entry[counted]["id"], f"{counted}_name": entry[counted]["name"]}
    if counted == "project":
        project = entry["project"]
        code = f"[{project['code']}] " if project["code"] else ""
        client = {"client_id": entry["client"]["id"], "client_name": entry["client"]["name"]}
        return {**found, "project_name": f"{code}{project['name']}", **client}
    if counted == "user":
        user = next(row for row in harvest.listed("users") if row["id"] == entry["user"]["id"])
        more = ("is_contractor", "weekly_capacity", "avatar_url") if name == "time_team" else ("is_contractor",)
        return {**found, **{column: user[column] for column in more}}
    return found


def _hours(entries: list[Row], worth_nothing: Iterable[int]) -> Row:
    billable = [row for row in entries if row["billable"]]
    worth = [row for row in billable if row["project"]["id"] not in worth_nothing]
    return {
        "total_hours": _cents(_sum(entries, "rounded_hours")),
        "billable_hours": _cents(_sum(billable, "rounded_hours")),
        "currency": entries[0]["client"]["currency"],
        "billable_amount": _cents(_worth(worth)),
    }


def _money(expenses: list[Row]) -> Row:
    return {
        "total_amount": _cents(_sum(expenses, "total_cost")),
        "billable_amount": _cents(_sum((row for row in expenses if row["billable"]), "total_cost")),
        "currency": expenses[0]["client"]["currency"],
    }


def _uninvoiced(harvest: Harvest, project: Row, time: list[Row], costs: list[Row], *, counts_fees: bool) -> Row:
    time, costs = ([row for row in rows if row["project"]["id"] == project["id"]] for rows in (time, costs))
    left, costs_left = ([row for row in rows if row["billable"] and not row["is_billed"]] for rows in (time, costs))
    if project["is_fixed_fee"]:
        items = [item for invoice in harvest.listed("invoices") for item in invoice["line_items"]]
        invoiced = _sum((item for item in items if (item["project"] or {}).get("id") == project["id"]), "amount")
        amount = _exact(project["fee"]) - invoiced if counts_fees else Decimal(0)
    else:
        amount = _worth(left)
    return {
        **_named(project),
        "currency": project["client"]["currency"],
        "total_hours": _cents(_sum(time, "rounded_hours")),
        "uninvoiced_hours": _cents(_sum(left, "rounded_hours")),
        "uninvoiced_expenses": _cents(_sum(costs_left, "total_cost")),
        "uninvoiced_amount": _cents(amount + _sum(costs_left, "total_cost")),
    }


def _named(project: Row) -> Row:
    client = project["client"]
    ids = {"project_id": project["id"], "client_id": client["id"]}
    return {**ids, "project_name": project["name"], "client_name": client["name"]}


def _worth(entries: Iterable[Row]) -> Decimal:
    return sum((_exact(row["rounded_hours"]) * _exact(row["billable_rate"]) for row in entries), Decimal(0))


def _sum(rows: Iterable[Mapping[str, Any]], column: str) -> Decimal:
    return sum((_exact(row[column]) for row in rows), Decimal(0))


def _exact(number: float | None) -> Decimal:
    return Decimal(str(number or 0))


def _cents(amount: Decimal) -> float:
    return float(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


NUMBERS = ("_hours", "_amount", "_expenses")


def is_zero(row: Row) -> bool:
    """Whether nothing is left of a subject in a period."""
    return not any(value for column, value in row.items() if column.endswith(NUMBERS))
