"""The default values of each table's rows, and which of their fields are references."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.account.field_notation import blank
from emulator.account.state import Row, State

if TYPE_CHECKING:
    from collections.abc import Mapping

# Of each table, the fields that refer to another row, with the shape of the reference. They are set by id:
# `client_id=7` sets `client`.
LINKS: dict[str, dict[str, str]] = {
    "contacts": {"client": "client"},
    "projects": {"client": "client_with_currency"},
    "user_assignments": {"project": "project", "user": "user"},
    "task_assignments": {"project": "project", "task": "task"},
    "invoices": {"client": "client", "estimate": "estimate", "creator": "user"},
    "estimates": {"client": "client", "creator": "user"},
    "expenses": {
        "client": "client_with_currency",
        "project": "project",
        "user": "user",
        "user_assignment": "user_assignment",
        "expense_category": "expense_category",
        "invoice": "invoice",
    },
    "time_entries": {
        "client": "client_with_currency",
        "project": "project",
        "user": "user",
        "task": "task",
        "user_assignment": "user_assignment",
        "task_assignment": "task_assignment",
        "invoice": "invoice",
    },
    "pto_requests": {"user": "user", "pto_type": "pto_type", "reviewer": "user"},
    "pto_allocations": {"user": "user", "pto_type": "pto_type"},
}

DEFAULTS: dict[str, Row] = {
    "clients": {"name": "A new client", "is_active": True, "statement_key": "0f" * 16, "currency": "EUR"},
    "contacts": {"first_name": "Noor", "phone_office": "", "phone_mobile": "", "fax": ""}
    | {"invoice_recipient_status": "manual"},
    "projects": {"name": "A new project", "code": "", "is_active": True, "is_billable": True, "bill_by": "Project"}
    | {"hourly_rate": 100.0, "budget_by": "none", "notify_when_over_budget": False, "show_budget_to_all": False}
    | {"over_budget_notification_percentage": 80.0, "cost_budget_include_expenses": False},
    "tasks": {"name": "A new task", "billable_by_default": True, "is_active": True},
    "users": {"first_name": "Ines", "last_name": "Newcomer", "email": "ines@example.com", "telephone": ""}
    | {"timezone": "Berlin", "weekly_capacity": 126000, "has_access_to_all_future_projects": False}
    | {"is_contractor": False, "is_active": True, "calendar_integration_enabled": False, "can_create_projects": False}
    | {"access_roles": ["member"], "roles": [], "permissions_claims": []}
    | {"avatar_url": "https://cache.harvestapp.example/avatar.png", "saml_exempt": False},
    "roles": {"name": "A new role", "user_ids": []},
    "user_assignments": {"is_active": True, "use_default_rates": True},
    "task_assignments": {"is_active": True, "billable": True},
    "invoices": {"state": "draft", "client_key": "ab" * 20, "currency": "EUR", "payment_term": "net 30"}
    | {"payment_options": [], "purchase_order": "", "subject": "", "notes": "", "line_items": []}
    | {"tax_amount": 0.0, "tax2_amount": 0.0, "discount_amount": 0.0},
    "estimates": {"state": "draft", "client_key": "cd" * 20, "currency": "EUR", "purchase_order": "", "subject": ""}
    | {"notes": "", "line_items": [], "tax_amount": 0.0, "tax2_amount": 0.0, "discount_amount": 0.0},
    "expenses": {"notes": "", "total_cost": 10.0, "units": 1.0, "billable": True, "approval_status": "unsubmitted"}
    | {"is_explicitly_locked": False, "reimbursement": False},
    "time_entries": {"hours": 1.0, "notes": "", "billable": True, "approval_status": "unsubmitted"}
    | {"is_explicitly_locked": False},
    "estimate_item_categories": {"name": "A new estimate category"},
    "invoice_item_categories": {"name": "A new invoice category"},
    "expense_categories": {"name": "A new expense category", "is_active": True},
    "invoice_messages": {"recipients": [], "send_me_a_copy": False, "thank_you": False, "reminder": False}
    | {"include_link_to_client_invoice": False, "attach_pdf": True, "subject": "", "body": ""},
    "invoice_payments": {"amount": 100.0, "notes": ""},
    "estimate_messages": {"recipients": [], "send_me_a_copy": False, "subject": "", "body": ""},
    "billable_rates": {"amount": 100.0},
    "cost_rates": {"amount": 50.0},
    "pto_types": {"name": "A new kind of leave", "color": "#fa5d00", "icon": "palm_tree", "accrual_type": "fixed"}
    | {"accrual_schedule": "yearly", "default_days_per_year": 25.0, "requires_approval": True, "visible_to_all": True}
    | {"is_active": True},
    "pto_requests": {"status": "pending", "request_days": []},
    "pto_holiday_calendars": {"name": "A new calendar", "entries": []},
    "pto_work_schedules": {"name": "A new schedule", "is_active": True, "weekly_hours": 40.0}
    | dict.fromkeys(("monday_hours", "tuesday_hours", "wednesday_hours", "thursday_hours", "friday_hours"), 8.0),
    "pto_allocations": {"days_per_year": 25.0},
}


def new_row(state: State, table: str, values: Mapping[str, Any]) -> Row:
    """A new row of the table: the defaults, overridden by the values. It shares no list with another row."""
    row = {**blank(table), **DEFAULTS[table]}
    row = {key: list(value) if isinstance(value, list) else value for key, value in row.items()}
    if table == "invoice_payments":
        row["payment_gateway"] = {"id": None, "name": None}
    set_values(state, table, row, values)
    row["id"] = state.new_id(table)
    return row


def set_values(state: State, table: str, row: Row, values: Mapping[str, Any]) -> None:
    """Set fields of a row; a reference is set by its id. Raises `TypeError` for an unknown field."""
    for key, value in values.items():
        name = key.removesuffix("_id")
        shape = LINKS.get(table, {}).get(name)
        if shape is not None and name != key:
            row[name] = None if value is None else state.reference(shape, value)
        elif key in row:
            row[key] = value
        else:
            raise TypeError(f"{table} have no {key}; they have {', '.join(row)}")
