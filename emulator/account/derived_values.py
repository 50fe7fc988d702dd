"""Values of a new or changed row that follow from the rows it refers to, unless the caller gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.account.amounts import line_item, rounded
from emulator.account.paid_time_off import allocation, changed_calendar, changed_request, holiday_calendar, request
from emulator.account.state import Row, State, full_name
from emulator.account.timestamps import later_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Values = dict[str, Any]


def _filled(state: State, values: Values, **tables: str) -> Values:
    """The values; an id that is not given is that of the oldest active row of its table."""
    return {name: _first(state, table) for name, table in tables.items() if name not in values} | values


def _first(state: State, table: str) -> int:
    for row_id, row in state.tables[table].rows.items():
        if row.get("is_active", True):
            return row_id
    raise LookupError(f"there is nothing active among the {table}")


def _administrator(state: State) -> Row:
    return next(user for user in state.tables["users"].rows.values() if "administrator" in user["access_roles"])


def assignment(state: State, table: str, field: str, project_id: int, other_id: int) -> int | None:
    """The id of the assignment of a user or task (`field`) to a project; None if there is none."""

    def index() -> dict[tuple[int, int], int]:
        rows = state.tables[table].rows.values()
        return {(row["project"]["id"], row[field]["id"]): row["id"] for row in rows}

    found: dict[tuple[int, int], int] = state.computed(("assignments", table), index)
    return found.get((project_id, other_id))


def _of_client(state: State, values: Values) -> Values:
    return _filled(state, values, client_id="clients")


def _project(state: State, values: Values) -> Values:
    values = _of_client(state, values)
    return {"currency": state.row("clients", values["client_id"])["currency"], **values}


def _assignment(field: str, table: str) -> Callable[[State, Values], Values]:
    def prepared(state: State, values: Values) -> Values:
        return _filled(state, values, **{"project_id": "projects", f"{field}_id": table})

    return prepared


def _bill(table: str, counts_from: int) -> Callable[[State, Values], Values]:
    def prepared(state: State, values: Values) -> Values:
        values = _of_client(state, values)
        issued = values.get("issue_date", values["created_at"][:10])
        items = values.get("line_items", () if "amount" in values else ({},))
        if table == "invoices":
            values = {"due_date": later_day(issued, 30), **values}
        plain = {key: value for key, value in values.items() if key not in {"time_entry_ids", "expense_ids"}}
        return {
            "number": str(counts_from + len(state.tables[table].rows)),
            "currency": state.row("clients", values["client_id"])["currency"],
            "creator_id": _administrator(state)["id"],
            "issue_date": issued,
            **plain,
            "line_items": _line_items(state, table, items),
        }

    return prepared


def _line_items(state: State, table: str, items: Iterable[Row]) -> list[Row]:
    """Complete line items from the values given for each. Only line items of invoices have a project."""
    more = {"project": None} if table == "invoices" else {}
    return [
        {**line_item(state, "Service", item.get("quantity", 1.0), item.get("unit_price", 100.0), **more), **item}
        for item in items
    ]


def _changed_bill(table: str) -> Callable[[State, Row, Values], Values]:
    def prepared(state: State, _: Row, values: Values) -> Values:
        if "line_items" in values:
            return {**values, "line_items": _line_items(state, table, values["line_items"])}
        return values

    return prepared


def with_client_and_assignments(state: State, values: Values, table: str) -> Values:
    """The values of a time entry or expense, with the client and assignments of its project, user and task."""
    project, user = values["project_id"], values["user_id"]
    values = {"client_id": state.row("projects", project)["client"]["id"], **values}
    values = {"user_assignment_id": assignment(state, "user_assignments", "user", project, user), **values}
    if table == "time_entries":
        task = assignment(state, "task_assignments", "task", project, values["task_id"])
        values = {"task_assignment_id": task, **values}
    return values


def _hours(values: Values) -> Values:
    if "hours" in values:
        return {"hours_without_timer": values["hours"], "rounded_hours": rounded(values["hours"]), **values}
    return values


def billable_rate(state: State, values: Values) -> float | None:
    """The billable rate of a time entry: of its project, task or person, as the project is billed."""
    project = state.row("projects", values["project_id"])
    if not (values["billable"] and project["is_billable"]):
        return None
    if project["bill_by"] == "Tasks":
        row = state.tables["task_assignments"].rows.get(values["task_assignment_id"] or 0, {})
    elif project["bill_by"] == "People":
        row = state.tables["user_assignments"].rows.get(values["user_assignment_id"] or 0, {})
        if row.get("use_default_rates"):
            row = {"hourly_rate": state.row("users", values["user_id"])["default_hourly_rate"]}
    else:
        row = project if project["bill_by"] == "Project" else {}
    return row.get("hourly_rate")


def _time_entry(state: State, values: Values) -> Values:
    values = {"spent_date": values["created_at"][:10], "hours": 1.0, **values}
    if "project_id" not in values and "user_id" not in values:
        first = next(row for row in state.tables["user_assignments"].rows.values() if row["is_active"])
        values = {"project_id": first["project"]["id"], "user_id": first["user"]["id"], **values}
    values = _filled(state, values, project_id="projects", user_id="users")
    if "task_id" not in values:
        rows = state.tables["task_assignments"].rows.values()
        tasks = [row["task"]["id"] for row in rows if row["project"]["id"] == values["project_id"]]
        values = {**values, "task_id": tasks[0]} if tasks else _filled(state, values, task_id="tasks")
    values = with_client_and_assignments(state, _hours({"billable": True, **values}), "time_entries")
    if values.get("is_running"):
        values = {"timer_started_at": values["created_at"], **values}
    project = state.row("projects", values["project_id"])
    return {
        "budgeted": project["budget_by"] != "none",
        "billable_rate": billable_rate(state, values),
        "cost_rate": state.row("users", values["user_id"])["cost_rate"],
        **values,
    }


def _expense(state: State, values: Values) -> Values:
    values = _filled(state, values, project_id="projects", user_id="users", expense_category_id="expense_categories")
    return with_client_and_assignments(state, {"spent_date": values["created_at"][:10], **values}, "expenses")


def _moved(table: str) -> Callable[[State, Row, Values], Values]:
    """For an update of a time entry or expense: a new project, user or task changes the client and assignments."""

    def prepared(state: State, row: Row, values: Values) -> Values:
        values = _hours(values)
        if values.keys() & {"project_id", "user_id", "task_id"}:
            keys = ("project", "user", "task") if table == "time_entries" else ("project", "user")
            values = with_client_and_assignments(state, {f"{key}_id": row[key]["id"] for key in keys} | values, table)
        return values

    return prepared


def _sent_by(state: State, values: Values) -> Values:
    user = _administrator(state)
    name, email = full_name(user), user["email"]
    return {"sent_by": name, "sent_by_email": email, "sent_from": name, "sent_from_email": email, **values}


def _payment(state: State, values: Values) -> Values:
    user = _administrator(state)
    paid = values.get("paid_date", values["created_at"][:10])
    recorded = {"recorded_by": full_name(user), "recorded_by_email": user["email"]}
    return {"paid_date": paid, "paid_at": f"{paid}T00:00:00Z", **recorded, **values}


def _of_user(state: State, values: Values) -> Values:
    return _filled(state, values, user_id="users", pto_type_id="pto_types")


def _rate(_: State, values: Values) -> Values:
    return {"start_date": values["created_at"][:10], **values}


BEFORE_ADD: dict[str, Callable[[State, Values], Values]] = {
    "contacts": _of_client,
    "projects": _project,
    "user_assignments": _assignment("user", "users"),
    "task_assignments": _assignment("task", "tasks"),
    "invoices": _bill("invoices", 1001),
    "estimates": _bill("estimates", 501),
    "expenses": _expense,
    "time_entries": _time_entry,
    "invoice_messages": _sent_by,
    "estimate_messages": _sent_by,
    "invoice_payments": _payment,
    "billable_rates": _rate,
    "cost_rates": _rate,
    "pto_requests": lambda state, values: request(state, _of_user(state, values)),
    "pto_holiday_calendars": holiday_calendar,
    "pto_allocations": lambda state, values: allocation(state, _of_user(state, values)),
}
BEFORE_UPDATE: dict[str, Callable[[State, Row, Values], Values]] = {
    "invoices": _changed_bill("invoices"),
    "estimates": _changed_bill("estimates"),
    "time_entries": _moved("time_entries"),
    "expenses": _moved("expenses"),
    "pto_requests": changed_request,
    "pto_holiday_calendars": changed_calendar,
}
