"""What other Harvest connectors call things, for the migration guides. Facts only; `docs.generate` compares them."""

from collections.abc import Mapping

AIRBYTE_STREAMS: Mapping[str, str] = {
    "clients": "clients",
    "contacts": "contacts",
    "company": "company",
    "invoices": "invoices",
    "invoice_messages": "invoice_messages",
    "invoice_payments": "invoice_payments",
    "invoice_item_categories": "invoice_item_categories",
    "estimates": "estimates",
    "estimate_messages": "estimate_messages",
    "estimate_item_categories": "estimate_item_categories",
    "expenses": "expenses",
    "expense_categories": "expense_categories",
    "tasks": "tasks",
    "time_entries": "time_entries",
    "user_assignments": "project_users",
    "task_assignments": "project_tasks",
    "projects": "projects",
    "roles": "roles",
    "users": "users",
    "billable_rates": "billable_rates",
    "cost_rates": "cost_rates",
    "project_assignments": "user_projects",
    "expenses_clients": "expenses_clients",
    "expenses_projects": "expenses_projects",
    "expenses_categories": "expenses_categories",
    "expenses_team": "expenses_team",
    "uninvoiced": "uninvoiced",
    "time_clients": "time_clients",
    "time_projects": "time_projects",
    "time_tasks": "time_tasks",
    "time_team": "time_team",
    "project_budget": "project_budget",
}
"""Each stream of Airbyte's own connector, and what it is called here."""

AIRBYTE_TYPES: Mapping[str, Mapping[str, str]] = {
    "invoices": {
        "estimate": "string",
        "retainer": "string",
        "period_start": "string",
        "period_end": "string",
        "issue_date": "string",
        "due_date": "string",
        "paid_at": "string",
        "paid_date": "string",
        "closed_at": "string",
        "recurring_invoice_id": "string",
    },
    "invoice_messages": {"send_reminder_on": "string"},
    "estimates": {"accepted_at": "string", "declined_at": "string"},
    "time_entries": {
        "external_reference": "string",
        "timer_started_at": "string",
        "started_time": "string",
        "ended_time": "string",
    },
    "projects": {"ends_on": "string"},
    "project_tasks": {"budget": "string"},
    "time_team": {"weekly_capacity": "number"},
}
"""Table here -> column -> its type in Airbyte's own connector, where that is another one."""

AIRBYTE_PARENT_IDS: Mapping[str, str] = {
    "invoice_messages": "invoice_id",
    "invoice_payments": "invoice_id",
    "estimate_messages": "estimate_id",
    "user_projects": "user_id",
    "billable_rates": "user_id",
    "cost_rates": "user_id",
}
"""Table here -> what the column `parent_id` of Airbyte's own connector is called."""

_DAYS = dict.fromkeys(("issue_date", "due_date", "paid_date", "period_start", "period_end"), "date-time")
_PERCENTAGES = dict.fromkeys(("tax", "tax2", "discount"), "string or number")

STITCH_TYPES: Mapping[str, Mapping[str, str]] = {
    "invoices": {**_DAYS, **_PERCENTAGES},
    "invoice_line_items": {"quantity": "integer"},
    "invoice_messages": {"send_reminder_on": "date-time"},
    "invoice_payments": {"paid_date": "date-time", "payment_gateway_name": "integer"},
    "estimates": {"issue_date": "date-time", **_PERCENTAGES},
    "estimate_line_items": {"quantity": "integer"},
    "expenses": {"spent_date": "date-time"},
    "time_entries": {"spent_date": "date-time", "budgeted": "number"},
    "projects": {
        "over_budget_notification_percentage": "integer",
        "over_budget_notification_date": "date-time",
        "starts_on": "string",
        "ends_on": "string",
    },
}
"""Table -> column -> its type as Stitch and Qlik document it, where that is another one."""
