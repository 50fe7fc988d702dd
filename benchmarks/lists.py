"""What is read of an account: Harvest's lists, and the lists below each invoice and estimate."""

from __future__ import annotations

PER_PAGE = 2000

LISTS = (
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
    "user_assignments",
    "task_assignments",
    "roles",
    "users",
)

CHILDREN = {"invoices": ("messages", "payments"), "estimates": ("messages",)}
"""A list -> the lists below each of its records."""

LIVING = {"invoices": ("draft", "open"), "estimates": ("draft", "sent")}
"""A list -> the states in which more children are to be expected."""

TABLES = (
    "clients",
    "contacts",
    "invoices",
    "invoice_line_items",
    "invoice_messages",
    "invoice_payments",
    "invoice_item_categories",
    "estimates",
    "estimate_line_items",
    "estimate_messages",
    "estimate_item_categories",
    "expenses",
    "expense_categories",
    "tasks",
    "time_entries",
    "time_entry_external_reference",
    "projects",
    "project_users",
    "project_tasks",
    "user_projects",
    "user_project_tasks",
    "roles",
    "user_roles",
    "users",
)
"""What the connector makes of these lists: the 24 tables that Stitch and Qlik document, which the targets are for."""

TIME_REPORTS = ("time_clients", "time_projects", "time_tasks", "time_team")
EXPENSE_REPORTS = ("expenses_clients", "expenses_projects", "expenses_categories", "expenses_team")
REPORTS = (*TIME_REPORTS, *EXPENSE_REPORTS, "uninvoiced")

OTHERS = ("company", "billable_rates", "cost_rates", "teammates", "project_budget", "deleted_records")
"""What else there is beyond the 24 tables."""


def pages(rows: int) -> int:
    """How many pages so many rows are at least; an empty list is one too."""
    return max(1, -(-rows // PER_PAGE))
