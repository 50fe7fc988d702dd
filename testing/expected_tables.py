"""What each table is to hold, worked out from an emulated account without the connector's help."""

import json
from collections.abc import Iterator
from typing import Any

from emulator import Harvest
from emulator.account.paid_time_off import assignments as assignments_of
from emulator.account.paid_time_off import balances as balances_of
from emulator.server.single_records import company_row
from testing.expected_reports import SUBJECTS, Row, project_budget, reports, today

SAME_NAME = [
    "clients",
    "contacts",
    "invoices",
    "invoice_item_categories",
    "estimates",
    "estimate_item_categories",
    "expenses",
    "expense_categories",
    "tasks",
    "time_entries",
    "projects",
    "roles",
    "users",
    "pto_types",
    "pto_requests",
    "pto_holiday_calendars",
    "pto_work_schedules",
    "pto_allocations",
]

# Column <- nested object and field.
FLAT = {
    "contacts": "client.id",
    "invoices": "client.id estimate.id retainer.id creator.id",
    "invoice_line_items": "project.id",
    "invoice_payments": "payment_gateway.id payment_gateway.name",
    "estimates": "client.id creator.id",
    "expenses": "client.id project.id expense_category.id user.id user_assignment.id invoice.id "
    "receipt.url receipt.file_name receipt.file_size receipt.content_type",
    "time_entries": "user.id user_assignment.id client.id project.id task.id task_assignment.id invoice.id "
    "external_reference.id",
    "projects": "client.id",
    "project_users": "project.id user.id",
    "project_tasks": "project.id task.id",
    "user_projects": "project.id user.id client.id",
    "pto_requests": "user.id pto_type.id reviewer.id",
    "pto_assignments": "user.id holiday_calendar.id work_schedule.id",
    "pto_allocations": "user.id pto_type.id",
    "pto_balances": "user.id pto_type.id",
}

KEYS = {
    "company": ("full_domain",),
    "teammates": ("user_id", "id"),
    "user_roles": ("user_id", "role_id"),
    "user_project_tasks": ("user_id", "project_task_id"),
    "time_entry_external_reference": ("time_entry_id", "external_reference_id"),
    "project_budget": ("project_id", "snapshot_date"),
    "pto_assignments": ("user_id",),
    "pto_balances": ("user_id", "pto_type_id", "year", "snapshot_date"),
    "deleted_records": ("stream", "record_id"),
    **{name: (subject, "currency", "period_start") for name, subject in SUBJECTS.items()},
}

FLAGS = {
    "is_admin": {"administrator"},
    "is_project_manager": {"manager"},
    "can_see_rates": {"administrator", "billable_rates_manager"},
    "can_create_projects": {"administrator", "project_creator"},
    "can_create_invoices": {
        "administrator",
        "managed_projects_invoice_drafter",
        "managed_projects_invoice_manager",
    },
}


def identity(name: str, row: Row) -> tuple[Any, ...]:
    """The values of a row's primary key."""
    return tuple(row[key] for key in KEYS.get(name, ("id",)))


def tables(harvest: Harvest, report_period: str = "month") -> dict[str, list[Row]]:
    """Table -> its rows after a first sync, for an administrator and without a start date."""
    lists = {name: harvest.listed(name) for name in SAME_NAME}
    assignments, task_assignments = harvest.listed("user_assignments"), harvest.listed("task_assignments")
    managers = [user for user in lists["users"] if "manager" in user["access_roles"]]
    found = {
        **lists,
        "project_users": assignments,
        "project_tasks": task_assignments,
        "invoice_line_items": list(_line_items(lists["invoices"], "invoice")),
        "estimate_line_items": list(_line_items(lists["estimates"], "estimate")),
        "invoice_messages": _children(harvest, lists["invoices"], "invoice_messages", "invoice_id"),
        "invoice_payments": _children(harvest, lists["invoices"], "invoice_payments", "invoice_id"),
        "estimate_messages": _children(harvest, lists["estimates"], "estimate_messages", "estimate_id"),
        "time_entry_external_reference": list(_external_references(lists["time_entries"])),
        "user_projects": list(_user_projects(assignments, lists["projects"], lists["users"])),
        "user_project_tasks": list(_user_project_tasks(assignments, task_assignments)),
        "company": [company_row(harvest)],
        "billable_rates": _children(harvest, lists["users"], "billable_rates", "user_id"),
        "cost_rates": _children(harvest, lists["users"], "cost_rates", "user_id"),
        "teammates": _children(harvest, managers, "teammates", "user_id"),
        "user_roles": [{"user_id": u, "role_id": role["id"]} for role in lists["roles"] for u in role["user_ids"]],
        **reports(harvest, report_period),
        "project_budget": project_budget(harvest),
        "pto_request_days": list(_request_days(lists["pto_requests"])),
        "pto_holidays": list(_holidays(lists["pto_holiday_calendars"])),
        "pto_assignments": copied(assignments_of(harvest.state)),
        "pto_balances": list(_balances(harvest, lists["users"])),
        "deleted_records": [],
    }
    return {name: [_finished(name, dict(row)) for row in rows] for name, rows in found.items()}


def _finished(name: str, row: Row) -> Row:
    for pair in FLAT.get(name, "").split():
        nested, field = pair.split(".")
        row[f"{nested}_{field}"] = (row[nested] or {}).get(field)
    if name == "time_entries":
        row["started_time"], row["ended_time"] = map(_clock, (row["started_time"], row["ended_time"]))
    if name == "users":
        row |= {flag: bool(roles & set(row["access_roles"])) for flag, roles in FLAGS.items() if flag not in row}
    return row


def _clock(shown: str | None) -> str | None:
    """From "3:00pm" to "15:00:00", the way one reads a clock."""
    if shown is None:
        return None
    hour, minute = shown.rstrip("apm").split(":")
    if shown.endswith("m"):
        hour = str(int(hour) % 12 + 12 * shown.endswith("pm"))
    return f"{int(hour):02}:{minute}:00"


def _line_items(parents: list[Row], parent: str) -> Iterator[Row]:
    for row in parents:
        for position, item in enumerate(row["line_items"]):
            keys = {f"{parent}_id": row["id"], f"{parent}_updated_at": row["updated_at"], "position": position}
            yield {**item, **keys}


def _children(harvest: Harvest, parents: list[Row], name: str, key: str) -> list[Row]:
    return [{**child, key: row["id"]} for row in parents for child in harvest.children(name, row["id"])]


def _external_references(entries: list[Row]) -> Iterator[Row]:
    for entry in entries:
        if reference := entry["external_reference"]:
            rest = {key: value for key, value in reference.items() if key != "id"}
            keys = {"time_entry_id": entry["id"], "external_reference_id": reference["id"]}
            yield {**rest, **keys, "time_entry_updated_at": entry["updated_at"]}


def _user_projects(assignments: list[Row], projects: list[Row], users: list[Row]) -> Iterator[Row]:
    client_of = {project["id"]: project["client"] for project in projects}
    rate_of = {user["id"]: user["default_hourly_rate"] for user in users}
    for row in assignments:
        uses_default = row["use_default_rates"] and row["hourly_rate"] is None
        rate = rate_of[row["user"]["id"]] if uses_default else row["hourly_rate"]
        yield {**row, "client": client_of[row["project"]["id"]], "hourly_rate": rate}


def _user_project_tasks(assignments: list[Row], task_assignments: list[Row]) -> Iterator[Row]:
    for user in assignments:
        for task in task_assignments:
            if task["project"]["id"] == user["project"]["id"]:
                yield {
                    "user_id": user["user"]["id"],
                    "project_task_id": task["id"],
                    "project_id": user["project"]["id"],
                    "is_active": user["is_active"] and task["is_active"],
                    "updated_at": max(user["updated_at"], task["updated_at"]),
                }


def _request_days(requests: list[Row]) -> Iterator[Row]:
    for row in requests:
        ids = {"pto_request_id": row["id"], "user_id": row["user"]["id"], "pto_type_id": row["pto_type"]["id"]}
        for day in row["request_days"]:
            yield {**day, **ids, "status": row["status"], "pto_request_updated_at": row["updated_at"]}


def _holidays(calendars: list[Row]) -> Iterator[Row]:
    for row in calendars:
        yield from ({**entry, "holiday_calendar_id": row["id"]} for entry in row["entries"])


NUMBERS_AS_TEXT = ("_days", "_hours", "_fraction")


def _balances(harvest: Harvest, users: list[Row]) -> Iterator[Row]:
    day = today(harvest)
    as_of = harvest.clock.now().date().isoformat()
    for user in users:
        answer = copied(balances_of(harvest.state, user["id"], day.year, as_of))
        for row in answer["balances"]:
            numbers = {name: value and float(value) for name, value in row.items() if name.endswith(NUMBERS_AS_TEXT)}
            yield {**row, **numbers, "user": answer["user"], "snapshot_date": day.isoformat()}


def copied(value: Any) -> Any:
    """The value as JSON brings it, so that it stays as it is."""
    return json.loads(json.dumps(value))
