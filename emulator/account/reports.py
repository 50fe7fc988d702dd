"""Reports, computed from the time entries and expenses that the user may see.

Hours are rounded hours. A report has one row for each subject and currency. Time of a fixed fee project has no amount
unless `include_fixed_fee` is set; its uninvoiced amount is the fee minus its invoices, and can be negative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.account.amounts import cents
from emulator.account.state import full_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from emulator.account.state import Row, State

    Subject = Callable[[State, Row], Row]


def _client(_: State, row: Row) -> Row:
    return {"client_id": row["client"]["id"], "client_name": row["client"]["name"]}


def _project(state: State, row: Row) -> Row:
    project = row["project"]
    name = f"[{project['code']}] {project['name']}" if project["code"] else project["name"]
    return {"project_id": project["id"], "project_name": name, **_client(state, row)}


def _task(_: State, row: Row) -> Row:
    return {"task_id": row["task"]["id"], "task_name": row["task"]["name"]}


def _category(_: State, row: Row) -> Row:
    category = row["expense_category"]
    return {"expense_category_id": category["id"], "expense_category_name": category["name"]}


def _person(state: State, row: Row) -> Row:
    user = state.row("users", row["user"]["id"])
    return {"user_id": user["id"], "user_name": full_name(user), "is_contractor": user["is_contractor"]}


def _person_with_capacity(state: State, row: Row) -> Row:
    user = state.row("users", row["user"]["id"])
    more = {"weekly_capacity": user["weekly_capacity"], "avatar_url": user["avatar_url"]}
    return {**_person(state, row), **more}


# Of each report: the field to group rows by, the columns of a group, and the column to sort by.
TIME: dict[str, tuple[str, Subject, str]] = {
    "report_time_clients": ("client", _client, "client_name"),
    "report_time_projects": ("project", _project, "project_name"),
    "report_time_tasks": ("task", _task, "task_name"),
    "report_time_team": ("user", _person_with_capacity, "user_name"),
}
EXPENSES: dict[str, tuple[str, Subject, str]] = {
    "report_expenses_clients": ("client", _client, "client_name"),
    "report_expenses_projects": ("project", _project, "project_name"),
    "report_expenses_categories": ("expense_category", _category, "expense_category_name"),
    "report_expenses_team": ("user", _person, "user_name"),
}


def time_report(name: str, state: State, entries: Iterable[Row], *, include_fixed_fee: bool) -> list[Row]:
    """Hours and billable amounts by client, project, task or person."""
    field, subject, order = TIME[name]
    projects = state.tables["projects"].rows
    totals: dict[tuple[int, str], Row] = {}
    for entry in entries:
        key = (entry[field]["id"], entry["client"]["currency"])
        if key not in totals:
            numbers = {"total_hours": 0.0, "billable_hours": 0.0, "currency": key[1], "billable_amount": 0.0}
            totals[key] = {**subject(state, entry), **numbers}
        total = totals[key]
        total["total_hours"] += entry["rounded_hours"]
        if entry["billable"]:
            total["billable_hours"] += entry["rounded_hours"]
            if include_fixed_fee or not projects[entry["project"]["id"]]["is_fixed_fee"]:
                total["billable_amount"] += entry["rounded_hours"] * (entry["billable_rate"] or 0)
    return _in_order(totals.values(), order)


def expense_report(name: str, state: State, expenses: Iterable[Row]) -> list[Row]:
    """Expenses by client, project, category or person."""
    field, subject, order = EXPENSES[name]
    totals: dict[tuple[int, str], Row] = {}
    for expense in expenses:
        key = (expense[field]["id"], expense["client"]["currency"])
        if key not in totals:
            totals[key] = {**subject(state, expense), "total_amount": 0.0, "billable_amount": 0.0, "currency": key[1]}
        totals[key]["total_amount"] += expense["total_cost"]
        totals[key]["billable_amount"] += expense["total_cost"] if expense["billable"] else 0.0
    return _in_order(totals.values(), order)


def uninvoiced_report(
    state: State, projects: Iterable[Row], entries: list[Row], expenses: list[Row], *, include_fixed_fee: bool
) -> list[Row]:
    """What is not invoiced yet, for every billable project, even if that is nothing."""
    time, spent = _by_project(entries), _by_project(expenses)
    invoiced = _invoiced(state)
    rows = []
    for project in projects:
        if not project["is_billable"]:
            continue
        here = time.get(project["id"], [])
        open_time = [entry for entry in here if entry["billable"] and not entry["is_billed"]]
        open_expenses = sum(
            row["total_cost"] for row in spent.get(project["id"], []) if row["billable"] and not row["is_billed"]
        )
        if project["is_fixed_fee"]:
            amount = (project["fee"] or 0.0) - invoiced.get(project["id"], 0.0) if include_fixed_fee else 0.0
        else:
            amount = sum(entry["rounded_hours"] * (entry["billable_rate"] or 0) for entry in open_time)
        rows.append(
            {
                **_client(state, project),
                **_plain_project(project),
                "currency": project["currency"],
                "total_hours": sum(entry["rounded_hours"] for entry in here),
                "uninvoiced_hours": sum(entry["rounded_hours"] for entry in open_time),
                "uninvoiced_expenses": open_expenses,
                "uninvoiced_amount": amount + open_expenses,
            }
        )
    return _in_order(rows, "client_name", "project_name")


def budget_report(state: State, projects: Iterable[Row], month: str, *, sees_money: bool) -> list[Row]:
    """What is left of the budget of each project that has one; a monthly budget counts the given month only."""
    time = _by_project(state.tables["time_entries"].rows.values())
    spent = _by_project(state.tables["expenses"].rows.values())
    rows = []
    for project in projects:
        if project["budget_by"] == "none":
            continue

        def counted(found: dict[int, list[Row]], project: Row = project) -> list[Row]:
            here = found.get(project["id"], [])
            return [row for row in here if not project["budget_is_monthly"] or row["spent_date"].startswith(month)]

        is_money = project["budget_by"] in {"project_cost", "task_fees"}
        if is_money:
            used = sum(row["rounded_hours"] * (row["billable_rate"] or 0) for row in counted(time))
            if project["cost_budget_include_expenses"]:
                used += sum(row["total_cost"] for row in counted(spent))
        else:
            used = sum(row["rounded_hours"] for row in counted(time))
        budget = (project["cost_budget"] if is_money else project["budget"]) or 0.0
        numbers = {"budget": budget, "budget_spent": used, "budget_remaining": budget - used}
        named = {**_plain_project(project), **_client(state, project)}
        kept = {key: project[key] for key in ("budget_is_monthly", "budget_by", "is_active")}
        rows.append({**named, **kept, **(numbers if sees_money or not is_money else {})})
    return _in_order(rows, "client_name", "project_name")


def _plain_project(project: Row) -> Row:
    """A project's columns, with its name without the code that reports of time and expenses add."""
    return {"project_id": project["id"], "project_name": project["name"]}


def _by_project(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["project"]["id"], []).append(row)
    return found


def _invoiced(state: State) -> dict[int, float]:
    amounts: dict[int, float] = {}
    for invoice in state.tables["invoices"].rows.values():
        for item in invoice["line_items"]:
            if item["project"] is not None:
                amounts[item["project"]["id"]] = amounts.get(item["project"]["id"], 0.0) + item["amount"]
    return amounts


def _in_order(rows: Iterable[Row], *names: str) -> list[Row]:
    """The rows sorted by name, regardless of case, with amounts rounded to two decimals."""
    exact = [{key: cents(value) if isinstance(value, float) else value for key, value in row.items()} for row in rows]

    def sort_key(row: Row) -> tuple[Any, ...]:
        return (*(str(row[name]).lower() for name in names), str(row.get("currency")))

    return sorted(exact, key=sort_key)
