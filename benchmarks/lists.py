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


def pages(rows: int) -> int:
    """How many pages so many rows are at least; an empty list is one too."""
    return max(1, -(-rows // PER_PAGE))
