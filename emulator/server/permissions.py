"""What a user may read, by access roles and assignments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.account.state import Row, State

_INVOICES = {"managed_projects_invoice_drafter", "managed_projects_invoice_manager"}

# The permissions of managers that open a list. Administrators read everything.
_OPENED_BY = {
    "clients": {"client_and_task_manager"},
    "contacts": {"client_and_task_manager"},
    "tasks": {"client_and_task_manager"},
    "invoices": _INVOICES,
    "invoice_messages": _INVOICES,
    "invoice_payments": _INVOICES,
    "report_uninvoiced": _INVOICES,
    "estimates": {"estimates_manager"},
    "estimate_messages": {"estimates_manager"},
    "billable_rates": {"billable_rates_manager"},
}
_FOR_PROJECT_MANAGERS = {"invoice_item_categories", "projects", "task_assignments"}
_FOR_ALL = {"time_entries", "expenses", "users_me", "report_project_budget", "pto_requests", "pto_balances"}

# Rates, and amounts computed from them. Budgets of money are hidden by their report.
_RATES = {"default_hourly_rate", "billable_rate", "cost_rate", "currency", "billable_amount"}


@dataclass(frozen=True)
class ApiUser:
    """The user of a request's token, with the projects and people that they manage."""

    row: Row
    managed_projects: frozenset[int]
    teammates: frozenset[int]

    @property
    def is_administrator(self) -> bool:
        """Whether this user may read everything."""
        return "administrator" in self.row["access_roles"]

    @property
    def is_manager(self) -> bool:
        """Whether this user is a manager."""
        return "manager" in self.row["access_roles"]

    def may_read(self, name: str) -> bool:
        """Whether this user may read the endpoint."""
        if self.is_administrator or name in _FOR_ALL or name.startswith(("report_time", "report_expenses")):
            return True
        if not self.is_manager:
            return False
        return (
            bool(_OPENED_BY.get(name, set()) & set(self.row["access_roles"]))
            or (name in _FOR_PROJECT_MANAGERS and bool(self.managed_projects))
            or (name == "users" and bool(self.teammates))
            or (name == "user_assignments" and bool(self.managed_projects or self.teammates))
        )

    def may_see(self, field: str) -> bool:
        """Whether this user gets a field that needs a right: a rate, or an amount computed from it."""
        if self.is_administrator or field not in _RATES:
            return True
        return field != "cost_rate" and self.is_manager and "billable_rates_manager" in self.row["access_roles"]

    def sees(self, name: str) -> Callable[[Row], bool] | None:
        """The test that a row passes if this user gets it; None if the user gets all rows of the list."""
        if self.is_administrator or name not in _SCOPED:
            return None
        me, projects = self.row["id"], self.managed_projects if self.is_manager else frozenset()
        users = (self.teammates if self.is_manager else frozenset()) | {me}
        if name == "users":
            return lambda row: row["id"] in users
        if name == "projects":
            return lambda row: row["id"] in projects
        if name == "task_assignments":
            return lambda row: row["project"]["id"] in projects
        if name == "pto_requests":
            return lambda row: row["user"]["id"] in users
        return lambda row: row["user"]["id"] in users or row["project"]["id"] in projects


_SCOPED = {"pto_requests", "time_entries", "expenses", "user_assignments", "task_assignments", "projects", "users"}


def api_user(state: State, user_id: int) -> ApiUser:
    """A user as the API sees them, by their present roles and assignments."""

    def made() -> ApiUser:
        managed = frozenset(
            row["project"]["id"]
            for row in state.tables["user_assignments"].rows.values()
            if row["user"]["id"] == user_id and row["is_project_manager"] and row["is_active"]
        )
        return ApiUser(state.row("users", user_id), managed, frozenset(state.teammates.get(user_id, ())))

    found: ApiUser = state.computed(("api_user", user_id), made)
    return found
